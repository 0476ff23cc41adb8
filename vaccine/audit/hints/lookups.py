"""Hints from SQL text: find by equality, then insert into the same table. Pure; no parser is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vaccine.candidates.lifecycle import lifecycle_columns
from vaccine.candidates.model import KeyHint
from vaccine.catalog.model import Catalog, CatalogFunction, SeenStatement, Table

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_TABLE = rf"(?P<table>{_NAME}(?:\s*\.\s*{_NAME})?)"
_SELECT = re.compile(r"\bSELECT\b", re.IGNORECASE)
_FROM = re.compile(rf"\bFROM\s++(?:ONLY\s++)?{_TABLE}\s*+", re.IGNORECASE)
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
_STATE = re.compile(
    rf"^\(*\s*(?:NOT\s+)?(?:{_NAME}\s*\.\s*)?{_NAME}(?:\s+IS\s+(?:NOT\s+)?(?:NULL|TRUE|FALSE))?\s*\)*$", re.IGNORECASE
)
LONGEST = 4000  # characters of a statement
LONGEST_CONDITION = 300  # of `column = $1`
_MANY = re.compile(r"\(*\s*(?:ANY|ALL|SOME|SELECT)\b", re.IGNORECASE)
_SEVERAL = re.compile(r"\bSKIP\s+LOCKED\b", re.IGNORECASE)  # a queue: any row of the kind will do
_ORDER = re.compile(r"\bORDER\s+BY\s+(?P<by>.*)", re.IGNORECASE | re.DOTALL)
_PARTS = re.compile(rf"{_NAME}")
_ROWS = re.compile(r"\bcount\s*\(|\bsum\s*\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Lookup:
    """One SELECT by equality. `limited`: it takes the first row that fits."""

    spot: tuple[str, str]
    columns: tuple[str, ...]
    limited: bool


def hints_from_statements(statements: Iterable[SeenStatement], catalog: Catalog) -> tuple[KeyHint, ...]:
    """Hints from `pg_stat_statements`: a lookup by equality on a table that other statements insert into.

    Args:
        statements: those that insert, and those that find one row at most; the most called first.
        catalog: the tables that they may be about.
    """
    statements = tuple(statements)
    inserted_by = [_inserted(statement.text, catalog) for statement in statements]
    inserted = set().union(*inserted_by)
    found: dict[tuple[tuple[str, str], frozenset[str]], KeyHint] = {}
    for statement, own in zip(statements, inserted_by, strict=True):
        called = f" called {statement.calls:,} times" if statement.calls else ""
        for look in _lookups(statement.text, catalog):
            if look.spot in (own or inserted):
                hint = _hint(look, "statements", f"a statement{called}")
                found.setdefault((look.spot, frozenset(look.columns)), hint)
    return tuple(found.values())


def hints_from_functions(functions: Sequence[CatalogFunction], catalog: Catalog) -> tuple[KeyHint, ...]:
    """Hints from function bodies that look a row up by equality and insert into the same table."""
    found = {}
    for function in functions:
        inserted = _inserted(function.body, catalog)
        for look in _lookups(function.body, catalog) if inserted else ():
            if look.spot in inserted:
                place = f"the function {function.schema}.{function.name}"
                found[look.spot, frozenset(look.columns)] = _hint(look, "function", place)
    return tuple(found.values())


def _hint(look: _Lookup, source: str, where: str) -> KeyHint:
    one = " with LIMIT 1" if look.limited else ""
    reason = f"{where} finds a row by {', '.join(look.columns)}{one}, and rows are inserted into the same table"
    return KeyHint(*look.spot, look.columns, source, 2.0 if look.limited else 1.0, reason)


def _plain(name: str) -> str:
    name = name.strip()
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _spot(text: str, catalog: Catalog) -> tuple[str, str] | None:
    parts = [_plain(part) for part in _PARTS.findall(text)]
    if len(parts) == 2:
        return (parts[0], parts[1]) if (parts[0], parts[1]) in catalog.by_name else None
    matches = catalog.places.get(parts[0], [])
    return ("public", parts[0]) if ("public", parts[0]) in matches else matches[0] if len(matches) == 1 else None


def _inserted(text: str, catalog: Catalog) -> set[tuple[str, str]]:
    spots = (_spot(match["table"], catalog) for match in _INSERT.finditer(text))
    return {spot for spot in spots if spot is not None}


def _selects(text: str) -> Iterator[tuple[str, str, str]]:
    """Of each statement of a text its first SELECT: what it takes, the table, and what comes behind.

    Each is looked at once, and a long one not at all: the time is linear in the text.
    """
    for statement in text.split(";"):
        begin = _SELECT.search(statement)
        source = begin and _FROM.search(statement, begin.end())
        if begin and source and len(statement) - begin.start() <= LONGEST:
            yield statement[begin.start() : source.start()], source["table"], statement[source.end() :]


def _lookups(text: str, catalog: Catalog) -> list[_Lookup]:
    found = []
    for taken, name, rest in _selects(text):
        where = _WHERE.match(rest)
        spot = _spot(name, catalog)
        if where is None or spot is None or _SEVERAL.search(rest) or _ROWS.search(taken):
            continue
        table = catalog.by_name[spot]
        if where["limit"] and _picks_by_order(where["where"], table):
            continue
        columns = _equal_columns(_END.sub("", where["where"]), table)
        if columns and set(columns) != set(table.primary_key):
            found.append(_Lookup(spot, columns, limited=bool(where["limit"])))
    return found


def _picks_by_order(where: str, table: Table) -> bool:
    """Whether ORDER BY tells which of several rows is meant; one by the primary key, as `first()` adds it, does not."""
    order = _ORDER.search(where)
    if order is None:
        return False
    first = {_plain(name) for name in _PARTS.findall(order["by"].split(",")[0])}
    return not first & set(table.primary_key)


def _equal_columns(condition: str, table: Table) -> tuple[str, ...]:
    """The columns of `a = $1 AND b = $2`, without those that only say which rows are live.

    None when anything else stands there, or nothing but the state of a row.
    """
    if _NOT_EQUALITY.search(condition):
        return ()
    columns = []
    for part in re.split(r"\bAND\b", condition, flags=re.IGNORECASE):
        if len(part) > LONGEST_CONDITION:
            return ()
        if _STATE.match(part.strip()):
            continue
        equal = _EQUAL.match(part.strip())
        if equal is None or _MANY.match(equal["value"]) or _plain(equal["column"]) not in table.by_name:
            return ()
        columns.append(_plain(equal["column"]))
    live = lifecycle_columns(table)
    return tuple(dict.fromkeys(column for column in columns if column not in live))
