"""How rows are retired today: what else is set on every retired row and on no live one. PostgreSQL compares.

A value that no retired row has is never proposed, and what only some of them have is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from vaccine.audit.counts import KeyQuery, live_rows, not_null, relation
from vaccine.audit.finding import Assignment, Expression, Scalar
from vaccine.catalog.model import Column, Table
from vaccine.catalog.reader import Reader
from vaccine.catalog.values import as_text
from vaccine.predicates import Condition, render

LOOKED_AT = 20_000  # rows, of each kind
COLUMNS = 60
FEW = 3  # retired rows, and live ones: fewer show nothing
SURE = 10  # before a column is emptied
TIMES = ("timestamp", "date")
NUMBERS = ("integer", "bigint", "smallint")
TEXTS = ("text", "character")
FLAG = "boolean"


@dataclass(frozen=True, slots=True)
class _Seen:
    """One column among retired and live rows: how many have a value, and the retired rows' one value, if it is one."""

    column: Column
    retired: int
    live: int
    of_retired: int
    of_live: int
    one: str | None
    one_live: int


def moving(
    reader: Reader, table: Table, key: KeyQuery, retire: Condition, assigned: Assignment
) -> tuple[Assignment, tuple[str, ...]]:
    """The assignment completed by the columns that move together with it, and why; call it inside a block.

    Args:
        reader: reads one statement.
        table: the table.
        key: its columns are never assigned; its predicate is what live rows satisfy.
        retire: the condition of the predicate that a retired row no longer satisfies.
        assigned: what is known so far; a value that no retired row has is replaced by the one that they all have.
    """
    columns = _columns(table, {*key.columns, *table.primary_key})
    seen = _compare(reader, table, key, render([retire]) or "TRUE", columns)
    known, reasons = dict(assigned), []
    for each in seen:
        found = _moved(each)
        if found is None or (each.column.name in known and found[0] == known[each.column.name]):
            continue
        if each.column.name in known and isinstance(known[each.column.name], Expression):
            continue
        known[each.column.name] = found[0]
        reasons.append(f"{each.column.name}: {found[1]}")
    first = [name for name in (retire.column, *dict(assigned)) if name in known]
    order = dict.fromkeys([*first, *known])
    return tuple((name, known[name]) for name in order), tuple(reasons)


def _columns(table: Table, without: set[str]) -> list[Column]:
    """Columns of types that are compared and set simply."""
    return [
        column
        for column in table.columns
        if column.name not in without
        and not column.generated
        and column.identity != "a"
        and (column.category == "E" or column.type.startswith((FLAG, *TIMES, *NUMBERS, *TEXTS)))
    ][:COLUMNS]


def _compare(reader: Reader, table: Table, key: KeyQuery, retire: str, columns: Sequence[Column]) -> list[_Seen]:
    if not columns:
        return []
    rows = sql.SQL(
        "(SELECT {names}, FALSE AS is_live FROM {table} WHERE ({retire}) IS NOT TRUE AND {whole} LIMIT {most})"
        " UNION ALL (SELECT {names}, TRUE FROM {table} WHERE {live} LIMIT {most})"
    ).format(
        names=sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(as_text(sql.Identifier(column.name)), sql.Identifier(f"c{number}"))
            for number, column in enumerate(columns)
        ),
        table=relation(table),
        retire=sql.SQL(retire),
        live=live_rows(key),
        whole=not_null(key.columns),
        most=sql.Literal(LOOKED_AT),
    )
    parts = [
        sql.SQL(
            "count({c}) FILTER (WHERE NOT is_live), count({c}) FILTER (WHERE is_live), min({c}) FILTER (WHERE NOT"
            " is_live), max({c}) FILTER (WHERE NOT is_live), count(*) FILTER (WHERE is_live AND {c} = (SELECT min({c})"
            " FROM compared WHERE NOT is_live))"
        ).format(c=sql.Identifier(f"c{number}"))
        for number in range(len(columns))
    ]
    row = reader.row(
        sql.SQL(
            "WITH compared AS MATERIALIZED ({rows}) SELECT count(*) FILTER (WHERE NOT is_live), count(*) FILTER (WHERE"
            " is_live), {parts} FROM compared"
        ).format(rows=rows, parts=sql.SQL(", ").join(parts))
    )
    retired, live = row[0], row[1]
    found = []
    for number, column in enumerate(columns):
        of_retired, of_live, least, most, one_live = row[2 + 5 * number : 7 + 5 * number]
        found.append(_Seen(column, retired, live, of_retired, of_live, least if least == most else None, one_live))
    return found


def _moved(seen: _Seen) -> tuple[Scalar | Expression, str] | None:
    """What a retired row has in the column and a live one has not; None where they do not tell."""
    column = seen.column
    if seen.retired < FEW or seen.live < FEW:
        return None
    every = f"each of {seen.retired:,} retired rows"
    if column.type.startswith(TIMES):
        if seen.of_retired == seen.retired and not seen.of_live:
            return Expression("now()"), f"{every} has one, no live row has"
    elif seen.of_retired == seen.retired and seen.one is not None and not seen.one_live:
        value = _value(column, seen.one)
        return value, f"{every} has {value!r}, no live row has"
    emptied = not seen.of_retired and not column.type.startswith(TIMES)
    if emptied and seen.of_live == seen.live and not column.not_null and seen.retired >= SURE:
        return None, f"{every} has none, each live row has one"
    return None


def _value(column: Column, text: str) -> Scalar:
    if column.category == "B":
        return text in {"t", "true"}
    return int(text) if column.type.startswith(NUMBERS) else text
