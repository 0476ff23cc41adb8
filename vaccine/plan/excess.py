"""The excess rows of one key, found as the upgrade will find them: how many, which, and whether they are as planned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from vaccine.catalog.values import equal_keys
from vaccine.operations.dry import (
    FEW,
    Approved,
    Key,
    Others,
    Policy,
    TargetTable,
    Work,
    excess_rows,
    mark,
    other_rows_statement,
    read_table,
    text_array,
    value,
)
from vaccine.plan.groups import Counted, Selection
from vaccine.plan.model import Vaccination
from vaccine.plan.steps import values


@dataclass(frozen=True)
class ExcessQuery:
    """The query for the excess rows, which is the run time's own, and its columns: number, primary keys as text[]."""

    query: sql.Composable
    number: sql.Composable
    excess: sql.Composable
    survivor: sql.Composable


def find_rows(connection: psycopg.Connection, of: Selection) -> ExcessQuery:
    """How the upgrade will find the excess rows of a table that has a primary key."""
    work = _work(_table(connection, of), of)
    return ExcessQuery(
        excess_rows(work, of.left), sql.Identifier(work.number), text_array(work.excess), text_array(work.survivor)
    )


def count_groups(connection: psycopg.Connection, of: Selection) -> Counted:
    """Count the groups and the excess rows, and say which rows they are: by name, or by marks where they are many.

    Needs `TEXT_FORM` in the transaction: rows are named by their primary keys as text.
    """
    found = find_rows(connection, of)
    statement = sql.SQL(
        "SELECT pg_catalog.count(DISTINCT x.survivor), pg_catalog.count(*),"
        " pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(x.survivor, x.excess) ORDER BY x.number)"
        " FILTER (WHERE x.number <= {few}),"
        " pg_catalog.encode(pg_catalog.string_agg({mark}, '' ORDER BY {mark}) FILTER (WHERE x.rows > {few}), 'base64')"
        " FROM (SELECT {number} AS number, {excess} AS excess, {survivor} AS survivor,"
        " pg_catalog.count(*) OVER () AS rows FROM ({query}) AS found) AS x"
    ).format(
        few=sql.Literal(FEW),
        mark=mark("x.excess", "x.survivor"),
        number=found.number,
        excess=found.excess,
        survivor=found.survivor,
        query=found.query,
    )
    start = time.monotonic()
    row = connection.execute(statement).fetchone()
    assert row is not None
    groups, rows, named, marks = row
    spent = round((time.monotonic() - start) * 1000)
    return Counted(groups, rows, spent, "".join(marks.split()) if marks else _grouped(named or []))


def _grouped(pairs: list[tuple[list[str], list[str]]]) -> Approved:
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for survivor, excess in pairs:
        groups.setdefault(tuple(survivor), [tuple(survivor)]).append(tuple(excess))
    return tuple(tuple(rows) for rows in groups.values())


def other_rows(connection: psycopg.Connection, of: Selection, rows: Approved) -> Others:
    """The excess rows that are not the approved ones, by the upgrade's own rule."""
    found = find_rows(connection, of)
    source = sql.SQL("({}) AS found").format(found.query)
    statement = other_rows_statement(rows, source, found.excess, found.survivor, found.number)
    return Others.of(connection.execute(statement).fetchall())


def any_live(connection: psycopg.Connection, of: Selection) -> bool:
    """Whether any row is live."""
    statement = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(of.source, of.live)
    row = connection.execute(statement).fetchone()
    return bool(row and row[0])


def selection_of(vaccination: Vaccination, left: sql.Composable | None = None) -> Selection:
    """The rows that a planned vaccination is about."""
    return Selection(
        vaccination.schema,
        vaccination.table,
        vaccination.columns,
        vaccination.where,
        vaccination.primary_key,
        vaccination.survivor,
        vaccination.keep,
        left,
    )


def resolves_before(planned: Sequence[Vaccination], schema: str, table: str) -> tuple[Vaccination, ...]:
    """Those vaccinations of a plan that resolve rows of a table that a later one of the plan is about."""
    return tuple(
        each
        for each in planned
        if (each.schema, each.table) == (schema, table)
        and each.fingerprint.excess_rows
        and each.primary_key
        and each.assign
        and not each.blocked
    )


def left_by(connection: psycopg.Connection, planned: Sequence[Vaccination]) -> sql.Composable | None:
    """The table as these vaccinations of it will leave it, as FROM takes it; None when there are none.

    Their excess rows with what is assigned to them; triggers and what is generated from such a column are left out.
    """
    left: sql.Composable | None = None
    for each in planned:
        of = selection_of(each, left)
        left = _left(connection, _table(connection, of), of, each)
    return left


def _left(connection: psycopg.Connection, table: TargetTable, of: Selection, planned: Vaccination) -> sql.Composable:
    work, found = _work(table, of), "vaccine found" if table.name != "vaccine found" else "vaccine found_"
    source, assigned = sql.Identifier(table.name), values(planned.assign)
    columns = [
        sql.SQL("CASE WHEN {first} IS NULL THEN {column} ELSE CAST(({value}) AS {type}) END AS {name}").format(
            first=sql.Identifier(work.excess[0]),
            column=sql.SQL("{}.{}").format(source, sql.Identifier(column.name)),
            value=value(assigned[column.name]),
            type=sql.SQL(column.type_name),
            name=sql.Identifier(column.name),
        )
        if column.name in assigned
        else sql.SQL("{}.{}").format(source, sql.Identifier(column.name))
        for column in table.columns
    ]
    spot = (table.schema, table.name)
    same = equal_keys(connection.execute, spot, table.primary_key, table.name, (found, work.excess))
    return sql.SQL("(SELECT {columns} FROM {table} LEFT JOIN ({query}) AS {found} ON {same}) AS {source}").format(
        columns=sql.SQL(", ").join(columns),
        table=of.left or table.source,
        query=excess_rows(work, of.left),
        found=sql.Identifier(found),
        same=same,
        source=source,
    )


def _table(connection: psycopg.Connection, of: Selection) -> TargetTable:
    table = read_table(connection, Key(of.schema, of.table, of.columns, of.where))
    assert table is not None
    return table


def _work(table: TargetTable, of: Selection) -> Work:
    return Work(table, Key(of.schema, of.table, of.columns, of.where), Policy(of.survivor, {}, of.keep, 0, ""), 0, 0)
