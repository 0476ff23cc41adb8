"""The duplicate groups of one key: who survives, who goes, and why. Sets and comparisons stay in PostgreSQL."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg
from psycopg import sql

from vaccine.audit.finding import Assignment, Expression, Scalar
from vaccine.catalog.values import as_text, equal_keys
from vaccine.operations.dry import (
    FEW,
    Approved,
    Key,
    Others,
    Policy,
    Work,
    excess_rows,
    mark,
    other_rows_statement,
    read_table,
    text_array,
)
from vaccine.plan.model import DuplicateGroup, Member
from vaccine.predicates import direction

MEMBERS_SHOWN = 10


@dataclass(frozen=True)
class Selection:
    """Which rows are live, by which columns they are the same, and in which order they survive.

    `where` and `survivor` are SQL texts; `keep` are primary keys as text that survive before all others.
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    where: str | None
    primary_key: tuple[str, ...]
    survivor: tuple[str, ...]
    keep: tuple[tuple[str, ...], ...] = ()

    @property
    def live(self) -> sql.Composable:
        """The predicate, and every key column NOT NULL: NULLs are distinct to a unique index (manual, section 11.6)."""
        conditions: list[sql.Composable] = [
            sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in self.columns
        ]
        if self.where:
            conditions.insert(0, sql.SQL(f"({self.where}\n)"))
        return sql.SQL(" AND ").join(conditions)


@dataclass(frozen=True)
class Counted:
    """All groups together; `search_ms` is how long PostgreSQL took to find them, `rows` are what a plan approves."""

    groups: int
    excess_rows: int
    search_ms: int
    rows: Approved = ()


@dataclass(frozen=True)
class ExcessQuery:
    """The query for the excess rows, which is the run time's own, and its columns: number, primary keys as text[]."""

    query: sql.Composable
    number: sql.Composable
    excess: sql.Composable
    survivor: sql.Composable


def find_rows(connection: psycopg.Connection, of: Selection) -> ExcessQuery:
    """How the upgrade will find the excess rows of a table that has a primary key."""
    key = Key(of.schema, of.table, of.columns, of.where)
    table = read_table(connection, key)
    assert table is not None
    work = Work(table, key, Policy(of.survivor, {}, of.keep, 0, ""), 0, 0)
    return ExcessQuery(
        excess_rows(work), sql.Identifier(work.number), text_array(work.excess), text_array(work.survivor)
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
    statement = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(sql.Identifier(of.schema, of.table), of.live)
    row = connection.execute(statement).fetchone()
    return bool(row and row[0])


def read_groups(
    connection: psycopg.Connection, of: Selection, columns: tuple[str, ...], limit: int
) -> tuple[DuplicateGroup, ...]:
    """The largest `limit` groups, with at most ten rows of each; `columns` are compared for differences."""
    statement = sql.SQL(
        "SELECT chosen.number, place, ARRAY[{keys}]::text[], ARRAY[{primary_key}]::text[], ordering, image"
        " FROM ({ranked}) AS ranked"
        " JOIN (SELECT {key}, row_number() OVER (ORDER BY count(*) DESC, {key}) AS number"
        "         FROM {table} WHERE {live} GROUP BY {key} HAVING count(*) > 1"
        "        ORDER BY number LIMIT {limit}) AS chosen ON {same}"
        " WHERE place <= {members} ORDER BY chosen.number, place"
    ).format(
        keys=_texts(of.columns, "chosen"),
        same=_same(connection, of, "ranked", "chosen"),
        primary_key=_texts(of.primary_key, "ranked"),
        key=_names(of.columns),
        table=sql.Identifier(of.schema, of.table),
        live=of.live,
        ranked=_ranked(connection, of, columns),
        limit=limit,
        members=MEMBERS_SHOWN,
    )
    found: dict[int, list[tuple[tuple[str, ...], Member, tuple[str | None, ...]]]] = {}
    for number, _, key, primary_key, ordering, image in connection.execute(statement):
        member = Member(tuple(primary_key), tuple(ordering))
        found.setdefault(number, []).append((tuple(key), member, tuple(image)))
    return tuple(_group(rows, of, columns) for rows in found.values())


def stays_live(connection: psycopg.Connection, of: Selection, assign: Assignment) -> bool:
    """Whether a live row would still be live after the assignment: then it retires nothing.

    Raises:
        psycopg.Error: a value does not fit its column.
    """
    names = [name for name, _ in assign]
    others = sql.SQL(
        "SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = {}::pg_catalog.regclass"
        " AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL ({}::text[]) ORDER BY a.attnum"
    ).format(sql.Literal(sql.Identifier(of.schema, of.table).as_string(connection)), names)
    kept = tuple(row[0] for row in connection.execute(others))
    types = dict(_types(connection, of, names))
    assigned = [
        sql.SQL("({})::{} AS {}").format(_value(value), sql.SQL(types[name]), sql.Identifier(name))
        for name, value in assign
    ]
    statement = sql.SQL(
        "SELECT EXISTS (SELECT FROM (SELECT {columns} FROM {table} WHERE {live} LIMIT 1000) AS retired WHERE {live})"
    ).format(
        columns=sql.SQL(", ").join([*map(sql.Identifier, kept), *assigned]),
        table=sql.Identifier(of.schema, of.table),
        live=of.live,
    )
    row = connection.execute(statement).fetchone()
    return bool(row and row[0])


def without_direction(expression: str) -> str:
    """The expression of an ORDER BY item, its ASC, DESC and NULLS left out."""
    return direction(expression)[0]


def _types(connection: psycopg.Connection, of: Selection, names: list[str]) -> list[tuple[str, str]]:
    statement = (
        "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a"
        " WHERE a.attrelid = %s::pg_catalog.regclass AND a.attname = ANY (%s)"
    )
    table = sql.Identifier(of.schema, of.table).as_string(connection)
    return [(name, kind) for name, kind in connection.execute(statement, (table, names))]


def _same(connection: psycopg.Connection, of: Selection, left: str, right: str) -> sql.Composable:
    return equal_keys(connection.execute, (of.schema, of.table), of.columns, left, (right, of.columns))


def _ranked(connection: psycopg.Connection, of: Selection, image: tuple[str, ...] = ()) -> sql.Composed:
    """Each row of a duplicate group with its place in it: 1 is the survivor."""
    return sql.SQL(
        "SELECT {key}, {primary_key}, row_number() OVER (PARTITION BY {key} ORDER BY {kept}{survivor}) AS place,"
        " ARRAY[{ordering}]::text[] AS ordering, ARRAY[{image}]::text[] AS image"
        " FROM (SELECT * FROM {table} WHERE {live}) AS live WHERE EXISTS (SELECT FROM"
        " (SELECT {key} FROM {table} WHERE {live} GROUP BY {key} HAVING count(*) > 1) AS repeated WHERE {same})"
    ).format(
        key=_names(of.columns),
        primary_key=sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(sql.Identifier(name), sql.Identifier(name)) for name in _others(of)
        )
        if _others(of)
        else sql.SQL("NULL"),
        kept=_kept(of),
        survivor=sql.SQL(", ").join(sql.SQL(f"{each}\n") for each in of.survivor),
        ordering=sql.SQL(", ").join(as_text(sql.SQL(f"({without_direction(each)}\n)")) for each in of.survivor),
        same=_same(connection, of, "live", "repeated"),
        image=_texts(image),
        table=sql.Identifier(of.schema, of.table),
        live=of.live,
    )


def _others(of: Selection) -> tuple[str, ...]:
    return tuple(name for name in of.primary_key if name not in of.columns)


def _kept(of: Selection) -> sql.Composable:
    if not of.keep:
        return sql.SQL("")
    rows = sql.SQL(", ").join(sql.SQL("ROW({})").format(sql.SQL(", ").join(map(sql.Literal, key))) for key in of.keep)
    return sql.SQL("CASE WHEN ROW({}) IN ({}) THEN 0 ELSE 1 END, ").format(_texts(of.primary_key), rows)


def _names(columns: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _texts(columns: tuple[str, ...], alias: str | None = None) -> sql.Composable:
    qualified = (sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in columns)
    return sql.SQL(", ").join(map(as_text, qualified))


def _value(of: Scalar | Expression) -> sql.Composable:
    return sql.SQL(f"{of.sql}\n") if isinstance(of, Expression) else sql.Literal(of)


def _group(
    rows: list[tuple[tuple[str, ...], Member, tuple[str | None, ...]]], of: Selection, columns: tuple[str, ...]
) -> DuplicateGroup:
    key, survivor, _ = rows[0]
    images = [image for _, _, image in rows]
    differs = tuple(name for place, name in enumerate(columns) if len({image[place] for image in images}) > 1)
    return DuplicateGroup(
        key=key,
        survivor=survivor,
        excess=tuple(member for _, member, _ in rows[1:]),
        reason=_reason(survivor, rows[1][1], of),
        differs=tuple(name for name in differs if name not in of.primary_key),
    )


def _reason(survivor: Member, next_best: Member, of: Selection) -> str:
    if survivor.primary_key in of.keep:
        return "kept by hand"
    for expression, ours, theirs in zip(of.survivor, survivor.order, next_best.order, strict=True):
        if ours != theirs:
            return f"{expression}: {_shown(ours)} comes before {_shown(theirs)}"
    return "the rows are equal in the survivor order"


def _shown(text: str | None) -> str:
    return "NULL" if text is None else text
