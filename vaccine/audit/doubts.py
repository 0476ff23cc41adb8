"""What a person must look at before rows of duplicate groups are retired: asked of the rows, said with the option.

Rows of a group that refer to different things may be different things; a row that is called gone takes what refers to
it out of sight; a key that is open where a column is NULL holds back nothing there.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from psycopg import sql

from vaccine.audit.counts import KeyCounts, KeyQuery, live_rows, names, not_null, relation
from vaccine.audit.finding import Lifecycle, OpenQuestion
from vaccine.audit.signs import AS_KEY
from vaccine.candidates.lifecycle import is_deletion
from vaccine.candidates.words import is_actor
from vaccine.catalog.model import Catalog, ForeignKey, Table
from vaccine.catalog.reader import Reader
from vaccine.predicates import parse, quote, render

MOST = 20  # foreign keys that are looked at, of each kind


def doubts(
    reader: Reader, catalog: Catalog, table: Table, key: KeyQuery, lifecycle: Lifecycle
) -> tuple[OpenQuestion, ...]:
    """The open questions about a key that has live duplicates; call it inside a block."""
    return (*_differing(reader, table, key, lifecycle), *_hidden(reader, catalog, table, key, lifecycle))


def open_where_null(reader: Reader, table: Table, key: KeyQuery, every: KeyCounts | None) -> tuple[OpenQuestion, ...]:
    """A composite key that repeats where a column of it is NULL: no plain unique index would notice; inside a block."""
    nullable = [name for name in key.columns if not table.by_name[name].not_null]
    if every is None or not every.open_groups or len(key.columns) < 2:
        return ()
    return tuple(each for name in nullable if (each := _open_at(reader, table, key, name)))


def _open_at(reader: Reader, table: Table, key: KeyQuery, name: str) -> OpenQuestion | None:
    """The rows with NULL in one column, where the others hardly repeat: the column is no part of their key."""
    rest = tuple(column for column in key.columns if column != name)
    where = _and(key.predicate, f"{quote(name)} IS NULL")
    of = KeyQuery(rest, where)
    query = sql.SQL(
        "SELECT coalesce(sum(n), 0)::bigint, count(*) FILTER (WHERE n > 1), coalesce(sum(n - 1), 0)::bigint"
        " FROM (SELECT count(*) AS n FROM {} WHERE {} GROUP BY {}) AS grouped"
    ).format(relation(table), live_rows(of), names(rest))
    rows, groups, excess = reader.row(query)
    if not groups or excess > AS_KEY * rows:
        return None
    text = (
        f"{groups:,} groups with {excess:,} rows too many are the same but for {name}, which is NULL there: to a "
        "unique index NULLs are different values"
    )
    return OpenQuestion("key", text, (f"vaccine plan {_key(table, rest)} --where {shlex.quote(where)}",))


def _differing(reader: Reader, table: Table, key: KeyQuery, lifecycle: Lifecycle) -> Iterator[OpenQuestion]:
    """References in which the rows of a group differ: which of the rows is right is no matter of their age."""
    settled = {*key.columns, *lifecycle.columns, *(name for name, _ in lifecycle.assign)}
    looked = [
        (foreign, name)
        for foreign in table.foreign_keys[:MOST]
        for name in foreign.columns
        if name not in settled and not is_actor(name)
    ]
    if not looked:
        return
    counts = [
        sql.SQL("count(DISTINCT {c}) + CASE WHEN count({c}) < count(*) THEN 1 ELSE 0 END AS {as_}").format(
            c=sql.Identifier(name), as_=sql.Identifier(f"d{number}")
        )
        for number, (_, name) in enumerate(looked)
    ]
    query = sql.SQL(
        "SELECT count(*), {told}"
        " FROM (SELECT {counts} FROM {table} WHERE {live} GROUP BY {key} HAVING count(*) > 1) AS repeated"
    ).format(
        told=sql.SQL(", ").join(
            sql.SQL("count(*) FILTER (WHERE {} > 1)").format(sql.Identifier(f"d{number}"))
            for number in range(len(looked))
        ),
        counts=sql.SQL(", ").join(counts),
        table=relation(table),
        live=live_rows(key),
        key=names(key.columns),
    )
    groups, *differing = reader.row(query)
    order = shlex.quote(", ".join(lifecycle.survivor))
    for (foreign, name), number in zip(looked, differing, strict=True):
        if number:
            yield OpenQuestion(
                "survivor",
                f"in {number:,} of {groups:,} groups the rows refer to different {foreign.ref_table} ({name}): they "
                "may be different things, and which of them stays is for a person",
                (f"--survivor {order}", "--keep ID"),
            )


def _hidden(
    reader: Reader, catalog: Catalog, table: Table, key: KeyQuery, lifecycle: Lifecycle
) -> Iterator[OpenQuestion]:
    """Rows that refer to a row which would be called gone."""
    gone = next((name for name, _ in lifecycle.assign if is_deletion(name)), None)
    if gone is None or lifecycle.assign[0][0] != gone:
        return
    for child, foreign in _inbound(catalog, table):
        rows = reader.row(_referring(table, key, lifecycle.survivor, child, foreign))[0]
        if rows:
            yield OpenQuestion(
                "assign",
                f"{rows:,} rows of {child.schema}.{child.name} ({', '.join(foreign.columns)}) refer to rows that would "
                f"be called gone by {gone}, and go out of sight with them",
                (f"--assign {shlex.quote(_assignment(lifecycle, gone))}",),
            )


def _referring(table: Table, key: KeyQuery, survivor: Sequence[str], child: Table, foreign: ForeignKey) -> sql.Composed:
    """How many rows of a child refer to excess rows."""
    place = sql.Identifier("vaccine place")
    order = sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(map(sql.SQL, survivor))) if survivor else sql.SQL("")
    return sql.SQL(
        "SELECT count(*) FROM {child} AS c WHERE {set} AND ({own}) IN (SELECT {referred} FROM (SELECT {referred},"
        " row_number() OVER (PARTITION BY {key}{order}) AS {place} FROM {table} WHERE {live}) AS r WHERE {place} > 1)"
    ).format(
        child=relation(child),
        set=not_null(foreign.columns),
        own=names(foreign.columns),
        referred=names(foreign.ref_columns),
        key=names(key.columns),
        order=order,
        place=place,
        table=relation(table),
        live=live_rows(key),
    )


def _inbound(catalog: Catalog, table: Table) -> list[tuple[Table, ForeignKey]]:
    spot = (table.schema, table.name)
    return [
        (child, foreign)
        for child in catalog.tables
        if child.selectable and not child.row_security
        for foreign in child.foreign_keys
        if (foreign.ref_schema, foreign.ref_table) == spot
    ][:MOST]


def _assignment(lifecycle: Lifecycle, name: str) -> str:
    value = dict(lifecycle.assign)[name]
    return f"{name}=sql:now()" if value not in (True, False) else f"{name}={str(value).lower()}"


def _and(predicate: str | None, more: str) -> str:
    return render((*parse(predicate), *parse(more))) or more


def _key(table: Table, columns: Sequence[str]) -> str:
    return shlex.quote(f"{quote(table.schema)}.{quote(table.name)}.{','.join(map(quote, columns))}")
