"""Catalog → candidate keys, best first: shapes, then features, then a score, then what siblings and hints add.

All but the last step is done once for all tables that look alike: a schema for each tenant, a table for each month.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vaccine.candidates.features import features
from vaccine.candidates.generate import candidates
from vaccine.candidates.habit import keys_indexed
from vaccine.candidates.lifecycle import named_predicate
from vaccine.candidates.model import CandidateKey, KeyHint
from vaccine.candidates.place import KeyPlace, Surroundings
from vaccine.candidates.reasons import reasons
from vaccine.candidates.shapes import Shapes
from vaccine.candidates.siblings import Siblings
from vaccine.candidates.weights import BIAS, WEIGHTS
from vaccine.catalog.model import Catalog, Table

FLOOR = 0.01  # candidates below this score are dropped
_HINTED = -1.0  # log-odds of a key that only a hint names
_AUDIT_FLOOR = 0.10  # the score that a name of the audit's own list keeps whatever the structure says
_AUDIT_NAMES = frozenset(("path", "slug", "code", "source_id", "hash", "key", "file_path", "dimension"))
_AUDIT_ENDINGS = ("_hash", "_key", "_code", "_slug")
_Hints = Mapping[tuple[str, str], Sequence[KeyHint]]


@dataclass(slots=True)
class _Scored:
    """One candidate key of the tables of a group, or of one table of it with what was said of that one."""

    columns: tuple[str, ...]
    odds: float
    found: list[str]  # features; the last one says how it is indexed
    said: tuple[str, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()  # which column is a code, a name and so on
    looked_up: bool = False


@dataclass(slots=True)
class _Group:
    """Tables that look alike in alike surroundings: their candidates and what speaks for these are the same."""

    scored: list[_Scored]
    tables: list[Table] = field(default_factory=list)


def candidate_keys(catalog: Catalog, hints: Sequence[KeyHint] = (), floor: float = FLOOR) -> tuple[CandidateKey, ...]:
    """The candidate keys of all tables that score `floor` (0 to 1) or more, best first.

    `hints` are evidence from outside the catalog. Pure: reads nothing but its arguments.
    Supersets of the primary key and of an existing valid unique index that leaves no hole are not proposed.
    """
    groups = _groups(catalog)
    _weigh_indexes(groups)
    siblings, told = Siblings(catalog), _by_table(hints, catalog)
    by_score: dict[float, list[CandidateKey]] = defaultdict(list)
    for group in groups:
        for key in _keys(group, siblings, told, floor):
            by_score[key.score].append(key)
    ranked: list[CandidateKey] = []
    for score in sorted(by_score, reverse=True):
        ranked += sorted(by_score[score], key=lambda key: (key.schema, key.table, key.columns))
    return tuple(ranked)


def _groups(catalog: Catalog) -> list[_Group]:
    shapes = Shapes(catalog)
    shaped = [(table, shapes.of(table)) for table in catalog.tables if table.partition_of is None]
    around = Surroundings(shaped, shapes.shared)
    groups: dict[object, _Group] = {}
    for table, shape in shaped:
        relations = around.relations(table, shape)
        group = groups.get((id(shape), relations))
        if group is None:
            group = groups[id(shape), relations] = _Group(list(_candidates(KeyPlace(shape, around, relations))))
        group.tables.append(table)
    return list(groups.values())


def _candidates(place: KeyPlace) -> Iterator[_Scored]:
    shape = place.shape
    order = {column.name: column.number for column in shape.columns}
    taken = _guarded(shape.table)
    seen: set[frozenset[str]] = set()
    for members in candidates(shape):
        key = frozenset([column.name for column in members])
        if key in seen or len(key) < len(members) or any(guard <= key for guard in taken):
            continue
        seen.add(key)
        found = features(place, members)
        odds = BIAS + sum(WEIGHTS.get(feature, 0.0) for feature in found)
        listed = len(members) == 1 and _audit_name(members[0].name)
        if odds > -8.5 or listed:
            refs_first = sorted(members, key=lambda column: (not column.is_ref, order[column.name]))
            parts = tuple({column.what: column.name for column in members}.items())
            yield _Scored(tuple(column.name for column in refs_first), odds, found, parts=parts)


def _guarded(table: Table) -> list[frozenset[str]]:
    """The primary key, and what unique indexes on more or fewer columns already promise for every row."""
    guards = [frozenset(table.primary_key)] if table.primary_key else []
    firm = {column.name for column in table.columns if column.not_null}
    for index in table.indexes:
        columns = frozenset(name for name in index.columns if name is not None)
        whole = len(columns) == len(index.columns) and not index.predicate and index.valid and index.unique
        if whole and not index.primary and (columns <= firm or index.nulls_not_distinct):
            guards.extend(columns | {name} for name in table.by_name if name not in columns)
    return guards


def _weigh_indexes(groups: list[_Group]) -> None:
    """Adds what plain indexes say, by the habit of this database: do its likely keys carry one?"""
    scored = [(item, len(group.tables)) for group in groups for item in group.scored]
    habit = keys_indexed((item.odds, item.found[-1], tables) for item, tables in scored)
    for item, _ in scored:
        if item.found[-1] != "guarded":
            item.found[-1] = f"{item.found[-1]}, {habit}"
            item.odds += WEIGHTS.get(item.found[-1], 0.0)


def _by_table(hints: Sequence[KeyHint], catalog: Catalog) -> dict[tuple[str, str], list[KeyHint]]:
    """The hints whose table and columns exist, by table."""
    found: dict[tuple[str, str], list[KeyHint]] = defaultdict(list)
    for hint in hints:
        table = catalog.by_name.get((hint.schema, hint.table))
        if table is not None and hint.columns and all(column in table.by_name for column in hint.columns):
            found[hint.schema, hint.table].append(hint)
    return found


def _keys(group: _Group, siblings: Siblings, hints: _Hints, floor: float) -> Iterator[CandidateKey]:
    """The keys of a group's tables; what all of them share is worked out once."""
    alike = group.tables[0]
    apart = [item for item in group.scored if siblings.may_speak_of(item.columns)]
    ready = [_key(alike, item) for item in group.scored if item not in apart and _score(item) >= floor]
    for table in group.tables:
        told = hints.get((table.schema, table.name), ())
        if told:
            own = _with_hints(table, [_with_sibling(table, item, siblings) for item in group.scored], told)
        else:
            own = [_with_sibling(table, item, siblings) for item in apart]
            for key in ready:
                yield CandidateKey(table.schema, table.name, key.columns, key.predicate, key.score, key.reasons)
        for item in own:
            if _score(item) >= floor:
                yield _key(table, item)


def _with_sibling(table: Table, item: _Scored, siblings: Siblings) -> _Scored:
    said = siblings.evidence(table, item.columns)
    if said is None:
        return item
    return _Scored(item.columns, max(item.odds + said.weight, said.floor), item.found, (said.reason,), item.parts)


def _with_hints(table: Table, scored: Iterable[_Scored], hints: Iterable[KeyHint]) -> Iterable[_Scored]:
    known = {frozenset(item.columns): item for item in scored}
    for hint in hints:
        key = frozenset(hint.columns)
        item = known.get(key)
        if item is None:
            if any(guard <= key for guard in _guarded(table)):
                continue
            item = _Scored(tuple(dict.fromkeys(hint.columns)), _HINTED, [])
        looked_up = item.looked_up or (hint.source != "statistics" and hint.weight > 0)
        odds = max(item.odds, _HINTED) + hint.weight if hint.weight > 0 else item.odds + hint.weight
        known[key] = _Scored(item.columns, odds, item.found, (*item.said, hint.reason), item.parts, looked_up)
    return known.values()


def _score(item: _Scored) -> float:
    score = 1 / (1 + math.exp(-max(-30.0, min(30.0, item.odds))))
    if len(item.columns) == 1 and _audit_name(item.columns[0]):
        score = max(score, _AUDIT_FLOOR)
    return round(score, 4)


def _key(table: Table, item: _Scored) -> CandidateKey:
    predicate = named_predicate(table, item.columns)
    return CandidateKey(table.schema, table.name, item.columns, predicate, _score(item), _reasons(item), item.looked_up)


def _reasons(item: _Scored) -> tuple[str, ...]:
    spoken = (*item.said, *reasons(tuple(item.found), item.parts))
    return tuple(dict.fromkeys(spoken)) or ("the shape of the table suggests it",)


def _audit_name(name: str) -> bool:
    return name in _AUDIT_NAMES or name.endswith(_AUDIT_ENDINGS)
