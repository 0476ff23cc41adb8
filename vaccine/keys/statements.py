"""Hints from SQL text: find by equality, then insert into the same table. Pure; no parser is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..catalog import Catalog, Function
from .model import KeyHint

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_TABLE = rf"(?P<table>{_NAME}(?:\s*\.\s*{_NAME})?)"
_SELECT = re.compile(rf"\bSELECT\b[^;]*?\bFROM\s+(?:ONLY\s+)?{_TABLE}\s*(?P<rest>[^;]*)", re.IGNORECASE | re.DOTALL)
_INSERT = re.compile(rf"\bINSERT\s+INTO\s+{_TABLE}", re.IGNORECASE)
_WHERE = re.compile(
    r"^(?:(?:AS\s+)?(?!WHERE\b)[\w$\"]+\s+)?WHERE\s+(?P<where>.*?)"
    r"(?P<limit>\bLIMIT\s+(?:\d+|\$\d+|%s)|\bFETCH\s+FIRST\b|$)",
    re.IGNORECASE | re.DOTALL,
)
_END = re.compile(
    r"\b(?:ORDER\s+BY|GROUP\s+BY|FOR\s+(?:UPDATE|SHARE|NO\s+KEY|KEY)|OFFSET)\b.*", re.IGNORECASE | re.DOTALL
)
_EQUAL = re.compile(
    rf"^\(*\s*(?:{_NAME}\s*\.\s*)?(?P<column>{_NAME})\s*(?:::\s*[\w\s]+)?=\s*(?P<value>[^=].*?)\)*$", re.DOTALL
)
_NOT_EQUALITY = re.compile(r"\b(?:OR|JOIN|UNION)\b|,\s*\w+\s+\w+\s+WHERE", re.IGNORECASE)
_PARTS = re.compile(rf"{_NAME}")
_ROWS = re.compile(r"\bcount\s*\(|\bsum\s*\(", re.IGNORECASE)


def hints_from_statements(texts: Iterable[str], catalog: Catalog) -> tuple[KeyHint, ...]:
    """Hints from `pg_stat_statements.query` texts: a lookup by equality on a table that other texts insert into."""
    texts = tuple(texts)
    inserted = {spot for text in texts for spot in _inserted(text, catalog)}
    found = {}
    for text in texts:
        for spot, columns, limited in _lookups(text, catalog):
            if spot in inserted:
                found[spot, frozenset(columns)] = _hint(spot, columns, limited, "statements", "a statement")
    return tuple(found.values())


def hints_from_functions(functions: Sequence[Function], catalog: Catalog) -> tuple[KeyHint, ...]:
    """Hints from function bodies that look a row up by equality and insert into the same table."""
    found = {}
    for function in functions:
        inserted = _inserted(function.body, catalog)
        for spot, columns, limited in _lookups(function.body, catalog):
            if spot in inserted:
                place = f"the function {function.schema}.{function.name}"
                found[spot, frozenset(columns)] = _hint(spot, columns, limited, "function", place)
    return tuple(found.values())


def _hint(spot: tuple[str, str], columns: tuple[str, ...], limited: bool, source: str, where: str) -> KeyHint:  # noqa: FBT001
    one = " with LIMIT 1" if limited else ""
    reason = f"{where} finds a row by {', '.join(columns)}{one}, and rows are inserted into the same table"
    return KeyHint(*spot, columns, source, 2.0 if limited else 1.0, reason)


def _plain(name: str) -> str:
    name = name.strip()
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _spot(text: str, catalog: Catalog) -> tuple[str, str] | None:
    parts = [_plain(part) for part in _PARTS.findall(text)]
    if len(parts) == 2:
        return (parts[0], parts[1]) if (parts[0], parts[1]) in catalog.by_name else None
    matches = [(table.schema, table.name) for table in catalog.tables if table.name == parts[0]]
    return ("public", parts[0]) if ("public", parts[0]) in matches else matches[0] if len(matches) == 1 else None


def _inserted(text: str, catalog: Catalog) -> set[tuple[str, str]]:
    spots = (_spot(match["table"], catalog) for match in _INSERT.finditer(text))
    return {spot for spot in spots if spot is not None}


def _lookups(text: str, catalog: Catalog) -> list[tuple[tuple[str, str], tuple[str, ...], bool]]:
    found = []
    for match in _SELECT.finditer(text):
        where = _WHERE.match(match["rest"])
        spot = _spot(match["table"], catalog)
        if where is None or spot is None or _ROWS.search(match[0].split("FROM")[0]):
            continue
        columns = _equal_columns(_END.sub("", where["where"]))
        known = columns and all(column in catalog.by_name[spot].by_name for column in columns)
        if known and set(columns) != set(catalog.by_name[spot].primary_key):
            found.append((spot, columns, bool(where["limit"])))
    return found


def _equal_columns(condition: str) -> tuple[str, ...]:
    """The columns of `a = $1 AND b = $2`; none when anything else than equality stands there."""
    if _NOT_EQUALITY.search(condition):
        return ()
    columns = []
    for part in re.split(r"\bAND\b", condition, flags=re.IGNORECASE):
        equal = _EQUAL.match(part.strip())
        if equal is None:
            return ()
        columns.append(_plain(equal["column"]))
    return tuple(dict.fromkeys(columns))
