"""Names in SQL text: which functions and types it means, their schemas spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vaccine.predicates import quote
from vaccine.predicates.tokens import Lexeme, pieces, unquote


@dataclass(frozen=True, slots=True)
class Named:
    """One name in a text. `called`: a `(` follows it; `schema` is None where it is not said."""

    schema: str | None
    name: str
    called: bool
    start: int


def names_in(text: str) -> tuple[Named, ...]:
    """The names that may be functions or types: before `(`, behind `::` or AS, before a literal, behind a schema."""
    known = [piece for piece in pieces(text) if piece.kind != "comment"]
    return tuple(
        Named(_schema(known, place), unquote(piece.text), _next(known, place) == "(", piece.start)
        for place, piece in enumerate(known)
        if piece.kind == "name" and _next(known, place) != "." and _may_name(known, place)
    )


def qualified(text: str, names: Iterable[Named], schemas: Mapping[tuple[str, bool], Sequence[str]], home: str) -> str:
    """The text with the schema before each name that pg_catalog does not have.

    Args:
        text: SQL.
        names: those in it.
        schemas: (name, whether it is called) → the schemas that have such a function or type.
        home: the table's schema: it is meant before `public`, that before any other; one of several others is not.
    """
    parts, position = [], 0
    for each in names:
        found = schemas.get((each.name, each.called), ())
        schema = _chosen(found, home) if each.schema is None else None
        if schema is not None:
            parts += [text[position : each.start], quote(schema), "."]
            position = each.start
    return "".join([*parts, text[position:]])


def _chosen(found: Sequence[str], home: str) -> str | None:
    if not found or "pg_catalog" in found:
        return None
    preferred = next((schema for schema in (home, "public") if schema in found), None)
    return preferred if preferred is not None or len(found) > 1 else found[0]


def _next(known: Sequence[Lexeme], place: int) -> str:
    return known[place + 1].text if place + 1 < len(known) else ""


def _schema(known: Sequence[Lexeme], place: int) -> str | None:
    behind = place >= 2 and known[place - 1].text == "." and known[place - 2].kind == "name"
    return unquote(known[place - 2].text) if behind else None


def _may_name(known: Sequence[Lexeme], place: int) -> bool:
    before = known[place - 1] if place else None
    if before is not None and before.text == ".":
        return _schema(known, place) is not None
    cast = before is not None and (before.kind == "cast" or before.text.lower() == "as")
    literal = place + 1 < len(known) and known[place + 1].kind == "string"
    return cast or literal or _next(known, place) == "("
