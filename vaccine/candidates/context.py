"""Where a candidate key stands in its table, and what stands beside it: features that any form of key can have."""

from __future__ import annotations

from vaccine.candidates.generate import Members
from vaccine.candidates.place import NAMING, KeyPlace, bucket

_NAMED = NAMING | {"token", "hash", "uuid"}


def context(place: KeyPlace, members: Members, form: str) -> list[str]:
    """The features of the candidate's surroundings in its own table."""
    names = {column.name for column in members}
    found = _position(place, members, form) + _beside(place, members, names, form) + _bare(place, names, form)
    width = min(3, len(members))
    found += [f"{form} {width}, {part} left out" for part, firm in place.telling if not firm <= names]
    if any(not column.is_ref and column.name in place.around.primary for column in members):
        found.append(f"{form}, a primary key elsewhere")
    return found


def _position(place: KeyPlace, members: Members, form: str) -> list[str]:
    rank = place.rank
    places = sorted(rank[column.name] for column in members if column.name in rank)
    if len(members) == 1:
        return [f"{form} at {bucket(places[0], 0, 1, 2, 3, 5, 8)}"] if places else []
    if not places:
        return []
    found = [f"{form}, ends at {bucket(places[-1], 1, 2, 3, 4, 6, 9)}"]
    if places == list(range(len(members))):
        found.append(f"{form}, first columns of the table")
    elif places[-1] - places[0] == len(members) - 1:
        found.append(f"{form}, neighbours in the table")
    if places[0] == 0:
        found.append(f"{form}, starts the table")
    return found


def _beside(place: KeyPlace, members: Members, names: set[str], form: str) -> list[str]:
    named = {column.what for column in members if not column.is_ref and column.what in _NAMED}
    if not named:
        return []
    others = [part for part, having in place.naming_parts if not having <= names]
    return [f"{what} {form}, {part} beside" for what in sorted(named) for part in others]


def _bare(place: KeyPlace, names: set[str], form: str) -> list[str]:
    """References that lead no index, where nearly all do: the index that spares theirs may be the missing one."""
    if place.around.indexed < 0.5:
        return []
    degree = " strong" if place.around.indexed > 0.8 else ""
    within = len(place.bare & names)
    found = [f"{'one bare reference' if within == 1 else 'more bare references'}, {form}{degree}"] if within else []
    if place.bare - names:
        found.append(f"a bare reference left out, {form}{degree}")
    if place.declared and not place.bare and names & place.declared:
        found.append(f"no bare reference in the table, {form}{degree}")
    return found
