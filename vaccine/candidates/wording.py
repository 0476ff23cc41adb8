"""What the words of the names say of a candidate key; lexicon.py says what each word is worth."""

from __future__ import annotations

from functools import lru_cache

from vaccine.candidates.generate import Members
from vaccine.candidates.place import KeyPlace
from vaccine.candidates.words import stems_of


def form_of(members: Members) -> str:
    """How the columns stand together: alone, ref alone, refs, mixed or items."""
    if len(members) == 1:
        return "ref alone" if members[0].is_ref else "alone"
    refs = sum(column.is_ref for column in members)
    return "refs" if refs == len(members) else "mixed" if refs else "items"


def words_said(place: KeyPlace, members: Members, form: str) -> list[str]:
    """The last word and the last two words of each name, and the last word of the table's name."""
    found = [
        f'"{word}" {form}'
        for column in members
        if form != "mixed" or not column.is_ref
        for word in _last_words(column.name)
    ]
    if place.shape.stems:
        found.append(f'in "{place.shape.stems[-1]}", {form}')
    return found


@lru_cache(maxsize=65536)
def _last_words(name: str) -> tuple[str, ...]:
    stems = stems_of(name)
    return (stems[-1], " ".join(stems[-2:]))[: len(stems)]
