"""A connection becomes a Catalog, in a fixed number of queries whatever the number of tables.

Names are resolved here rather than by joins on the server: indexes and constraints name columns by
number (manual, section 53: pg_index.indkey, pg_constraint.conkey).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from operator import attrgetter
from sys import intern
from typing import Any

import psycopg
from psycopg import sql

from vaccine.catalog import frameworks
from vaccine.catalog.collector import collector_at_rest
from vaccine.catalog.foreign import names_of
from vaccine.catalog.model import (
    Catalog,
    CatalogFunction,
    CheckConstraint,
    Column,
    FieldChoices,
    Flow,
    ForeignKey,
    Index,
    Table,
)
from vaccine.catalog.reader import Reader, question
from vaccine.predicates import columns_in

Row = tuple[Any, ...]
LOCK_TRIES = 3
_NEVER_ANALYSED: Row = (None, None, None)
_NO_TYPE: Row = ("???", "", False, ())  # dropped since the columns were read
_BY_NUMBER = attrgetter("number")
_BY_NAME = attrgetter("name")
_DIRECTUS = {
    "directus_flows": {"id", "name", "status"},
    "directus_operations": {"flow", "type", "options"},
    "directus_fields": {"collection", "field", "options"},
    "directus_activity": {"action", "collection", "item", "user", "user_agent", "timestamp"},
}


@dataclass
class _Parts:
    """What the queries gave, by the table's oid."""

    columns: dict[int, list[Column]] = field(default_factory=lambda: defaultdict(list))
    indexes: dict[int, list[Index]] = field(default_factory=lambda: defaultdict(list))
    foreign_keys: dict[int, list[ForeignKey]] = field(default_factory=lambda: defaultdict(list))
    checks: dict[int, list[CheckConstraint]] = field(default_factory=lambda: defaultdict(list))
    names: dict[int, dict[int, str]] = field(default_factory=dict)


def reflect(reader: Reader, *, with_frameworks: bool = False) -> Catalog:
    """The structure of the connected database.

    Tables of frameworks and of extensions are left out and counted in `Catalog.skipped`,
    unless `with_frameworks`.
    """
    for _ in range(LOCK_TRIES):
        with suppress(psycopg.errors.LockNotAvailable), collector_at_rest():  # somebody locked a table since we looked
            return _reflect(reader, with_frameworks=with_frameworks)
    with collector_at_rest():
        return _reflect(reader, with_frameworks=with_frameworks)


def _reflect(reader: Reader, *, with_frameworks: bool) -> Catalog:
    with reader.block():
        locked = sql.Literal([row[0] for row in reader.rows(question("locks"))]) + sql.SQL("::oid[]")
        version, number, database, recovery, extensions, reset, statements = reader.row(question("server"))
        table_rows = reader.rows(question("tables"))
        relations = {row[0]: (row[1], row[2]) for row in table_rows}
        parts = _columns(reader, relations, locked)
        checks = reader.rows(sql.SQL(question("constraints")).format(locked=locked))
        _constraints(checks, parts, relations)
        _indexes(_index_rows(reader, number, locked), parts)
        functions = tuple(CatalogFunction(*row) for row in reader.rows(question("functions")))
        foreign = names_of((row[0], row[1], row[2]) for row in reader.rows(question("foreign_code")))
        readable = _directus_tables(table_rows, parts)
        flows, choices = _directus(reader, readable)
    kept, skipped = _select(table_rows, with_frameworks=with_frameworks)
    return Catalog(
        server_version=version.split(" ")[0],
        server_version_num=number,
        database=database,
        tables=tuple(_table(row, parts, relations, in_recovery=recovery) for row in kept),
        in_recovery=recovery,
        functions=functions,
        extensions=tuple(extensions),
        stats_reset_at=reset,
        skipped=skipped,
        flows=flows,
        choices=choices,
        activity=readable.get("directus_activity"),
        foreign=foreign,
        statements=(statements, "pg_stat_statements") if statements else None,
    )


def _select(rows: list[Row], *, with_frameworks: bool) -> tuple[list[Row], tuple[tuple[str, int], ...]]:
    """The tables to keep, and how many were left out for which reason."""
    kept, left_out = [], Counter[str]()
    for row in rows:
        why = "an extension" if row[12] else frameworks.owner(row[1], row[2])
        if why and not with_frameworks:
            left_out[why] += 1
        else:
            kept.append(row)
    return kept, tuple(sorted(left_out.items()))


def _table(row: Row, parts: _Parts, relations: dict[int, tuple[str, str]], *, in_recovery: bool) -> Table:
    oid, schema, name, kind, estimate, size, inserts, parent, inherits, security, selectable, comment, _ = row
    return Table(
        schema=intern(schema),
        name=intern(name),
        oid=oid,
        kind=kind,
        columns=tuple(parts.columns.get(oid, ())),
        indexes=tuple(parts.indexes.get(oid, ())),
        foreign_keys=tuple(parts.foreign_keys.get(oid, ())),
        checks=tuple(parts.checks.get(oid, ())),
        rows_estimate=estimate,
        bytes=size,
        inserts=None if in_recovery else inserts,
        partition_of=relations.get(parent) if parent else None,
        inherits=inherits,
        row_security=security,
        selectable=selectable,
        comment=comment,
    )


def _columns(reader: Reader, relations: dict[int, tuple[str, str]], locked: sql.Composable) -> _Parts:
    """The columns of all tables. Equal ones are one object: in a large database most tables repeat those of others."""
    parts = _Parts()
    statistics = {(row[0], row[1], row[2]): row[3:] for row in reader.rows(question("statistics"))}
    rows = reader.rows(sql.SQL(question("columns")).format(locked=locked))
    types = _types(reader, rows)
    made: dict[tuple[Any, ...], Column] = {}
    for row in rows:
        oid, name = row[0], row[1]
        relation = relations.get(oid)
        if relation is None:  # created since the tables were read
            continue
        seen = statistics.get((*relation, name), _NEVER_ANALYSED) if statistics else _NEVER_ANALYSED
        key = (row[1:], seen)
        column = made.get(key)
        if column is None:
            column = made[key] = _column(row, types.get((row[3], row[4]), _NO_TYPE), seen)
        parts.columns[oid].append(column)
    shared: dict[tuple[int, ...], dict[int, str]] = {}
    for oid, columns in parts.columns.items():
        columns.sort(key=_BY_NUMBER)
        names = shared.setdefault(tuple(map(id, columns)), {})
        if not names:
            names.update((column.number, column.name) for column in columns)
        parts.names[oid] = names
    return parts


def _types(reader: Reader, rows: list[Row]) -> dict[tuple[int, int], Row]:
    """What is known of each (type, modifier) that columns have."""
    pairs = list({(row[3], row[4]) for row in rows})
    found = reader.rows(question("types"), {"oids": [oid for oid, _ in pairs], "modifiers": [of for _, of in pairs]})
    return {(row[0], row[1]): row[2:] for row in found}


def _column(row: Row, kind: Row, statistics: Row) -> Column:
    _, name, number, _, _, not_null, default, generated, identity, comment = row
    written, category, never_null, labels = kind
    return Column(
        intern(name),
        number,
        intern(written),
        not_null or never_null,
        default,
        generated,
        identity,
        tuple(labels),
        category,
        comment,
        *statistics,
    )


def _index_rows(reader: Reader, server_version_num: int, locked: sql.Composable) -> list[Row]:
    since_15 = sql.SQL("i.indnullsnotdistinct" if server_version_num >= 150000 else "false")
    return reader.rows(sql.SQL(question("indexes")).format(nulls_not_distinct=since_15, locked=locked))


def _indexes(rows: list[Row], parts: _Parts) -> None:
    keys: dict[tuple[str, int], tuple[str | None, ...]] = {}
    for row in rows:
        oid, name, numbers, width, unique, primary, valid, ready, predicate, expressions, *rest = row
        method, not_distinct, constraint, immediate, operators, scans, size, finer = rest
        names = parts.names.get(oid, {})
        every = keys.get((numbers, id(names)))
        if every is None:
            every = keys[numbers, id(names)] = tuple(names.get(int(number)) for number in numbers.split())
        known = names.values()
        parts.indexes[oid].append(
            Index(
                name=name,
                columns=every[:width],
                unique=unique,
                primary=primary,
                valid=valid,
                ready=ready,
                predicate=intern(predicate) if predicate else None,
                expressions=tuple(expressions or ()),
                expression_columns=columns_in(" , ".join(expressions), known) if expressions else (),
                include=tuple(column for column in every[width:] if column is not None),
                method=intern(method),
                nulls_not_distinct=not_distinct,
                constraint=constraint or "",
                immediate=immediate,
                exclusion_operators=tuple(operators or ()),
                scans=scans,
                bytes=size,
                partial_columns=columns_in(predicate, known) if predicate else (),
                finer_collation=finer,
            )
        )
    for indexes in parts.indexes.values():
        indexes.sort(key=_BY_NAME)


def _constraints(rows: list[Row], parts: _Parts, relations: dict[int, tuple[str, str]]) -> None:
    for oid, kind, name, numbers, target, target_numbers, expression in rows:
        names = parts.names.get(oid, {})
        columns = tuple(names[number] for number in numbers or () if number in names)
        if kind == "f" and target in relations:
            ours = parts.names.get(target, {})
            referenced = tuple(ours[number] for number in target_numbers if number in ours)
            parts.foreign_keys[oid].append(ForeignKey(name, columns, *relations[target], referenced))
        elif kind == "c":
            parts.checks[oid].append(CheckConstraint(name, expression, columns))
        elif kind == "n":  # NOT VALID: the column may still hold NULLs
            parts.columns[oid] = [
                replace(column, not_null=False) if column.name in columns else column for column in parts.columns[oid]
            ]


def _directus_tables(table_rows: list[Row], parts: _Parts) -> dict[str, tuple[str, str]]:
    """The tables of Directus that the role may read and that have the columns we ask for, all of one schema.

    Of PostgreSQL's own types: a cast of another type runs what its owner wrote.
    """
    found: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for row in table_rows:
        wanted = _DIRECTUS.get(row[2])
        own = {column.name for column in parts.columns.get(row[0], ()) if "." not in column.type}
        if wanted and row[10] and not row[9] and wanted <= own:
            found[row[1]][row[2]] = (row[1], row[2])
    schemas = sorted(found, key=lambda schema: (-len(found[schema]), schema != "public", schema))
    return found[schemas[0]] if schemas else {}


def _directus(
    reader: Reader, readable: dict[str, tuple[str, str]]
) -> tuple[tuple[Flow, ...], tuple[FieldChoices, ...]]:
    """Flows that create items, and the choices that fields offer."""
    named = {name: sql.Identifier(*place) for name, place in readable.items()}
    flows: tuple[Flow, ...] = ()
    choices: tuple[FieldChoices, ...] = ()
    if {"directus_flows", "directus_operations"} <= set(named):
        query = sql.SQL(question("directus_flows"))
        rows = reader.rows(query.format(flows=named["directus_flows"], operations=named["directus_operations"]))
        flows = tuple(Flow(*row) for row in rows if row[0])
    if "directus_fields" in named:
        rows = reader.rows(sql.SQL(question("directus_choices")).format(fields=named["directus_fields"]))
        choices = tuple(FieldChoices(row[0], row[1], tuple(row[2])) for row in rows if row[2])
    return flows, choices
