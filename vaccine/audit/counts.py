"""What the rows of one table say of its candidate keys. PostgreSQL counts; a few groups come back, never the table.

Grouping is on the bare columns, as a unique index compares them: a cast or a hash would disagree for citext,
nondeterministic collations, numeric scales and padded text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from vaccine.catalog.model import Table
from vaccine.catalog.reader import Reader
from vaccine.catalog.values import as_text

VALUES_COUNTED = 50
# Otherwise the planner takes one process for a scan whose live rows are many: 0.74 s instead of 0.56 for 5M rows.
PARALLEL = "SET LOCAL parallel_tuple_cost = 0.01"
# The groups of one key of some hundred thousand rows then stay in memory; several keys share one pass and gain nothing.
MORE_MEMORY = (
    "SELECT pg_catalog.set_config('work_mem', '32MB', true)"
    " WHERE pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem')) < 33554432"
)


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """The groups of one key among some rows. Groups with a NULL in the key are apart."""

    rows: int
    nulls: int  # rows with a NULL in the key
    distinct: int  # keys without NULL
    groups: int  # of two rows or more
    excess: int  # rows beyond the first of each group
    empty: int = 0  # rows whose key is the empty string
    open_groups: int = 0  # repeated keys with a NULL in some column but not in all

    @property
    def keyed(self) -> int:
        """The rows that have a key: not NULL, and not the empty string that stands for no value."""
        return self.rows - self.nulls - self.empty

    @property
    def keys(self) -> int:
        """The distinct keys of those rows."""
        return self.distinct - (1 if self.empty else 0)


@dataclass(frozen=True)
class KeyQuery:
    """One key of a table and the rows to count it among; `predicate` None means all rows."""

    columns: tuple[str, ...]
    predicate: str | None = None


def count_values(reader: Reader, table: Table, column: str) -> tuple[tuple[str, int], ...]:
    """The commonest values of a lifecycle column with their rows, as text, NULL left out."""
    query = sql.SQL(
        "SELECT {text}, count(*) FROM {table} WHERE {column} IS NOT NULL"
        " GROUP BY {column} ORDER BY count(*) DESC, 1 LIMIT {limit}"
    ).format(
        text=as_text(sql.Identifier(column)),
        column=sql.Identifier(column),
        table=relation(table),
        limit=sql.Literal(VALUES_COUNTED),
    )
    return tuple((row[0], row[1]) for row in reader.rows(query))


def count_keys(
    reader: Reader, table: Table, keys: Sequence[KeyQuery], sample_percent: float | None = None
) -> tuple[KeyCounts, ...]:
    """Count all keys of a table in one statement. Call it inside a block: it sets planner options for its rest.

    Keys that share a predicate are counted in one pass over the table; a key that an index serves
    is counted over that index. `sample_percent` reads that share of the pages (TABLESAMPLE SYSTEM).
    """
    if not keys:
        return ()
    sources, source_of = _sources(table, keys, sample_percent)
    parts = [_counting(table, key, number, source_of.get(number)) for number, key in enumerate(keys)]
    query = sql.SQL(" UNION ALL ").join(parts)
    if sources:
        query = sql.SQL("WITH {} ").format(sql.SQL(", ").join(sources)) + query
    reader.run(PARALLEL)
    if len(keys) == 1:
        reader.rows(MORE_MEMORY)
    rows = sorted(reader.rows(query))
    return tuple(_counts(row[1:]) for row in rows)


def count_variants(reader: Reader, table: Table, key: KeyQuery) -> int:
    """Keys that equal another one when case and outer blanks are ignored; for one text column."""
    query = sql.SQL(
        "SELECT coalesce(sum(n), 0)::bigint FROM (SELECT count(*) AS n FROM"
        " (SELECT DISTINCT {key} AS value FROM {table} WHERE {live}) AS known"
        " GROUP BY pg_catalog.lower(pg_catalog.btrim({text})) HAVING count(*) > 1) AS folded"
    ).format(
        text=as_text(sql.Identifier("value")),
        key=sql.Identifier(key.columns[0]),
        table=relation(table),
        live=live_rows(key),
    )
    return int(reader.row(query)[0])


def live_rows(key: KeyQuery) -> sql.Composable:
    """The condition of a live row with a whole key."""
    if key.predicate is None:
        return not_null(key.columns)
    return sql.SQL("({}\n) AND {}").format(sql.SQL(key.predicate), not_null(key.columns))


def _sources(
    table: Table, keys: Sequence[KeyQuery], sample_percent: float | None
) -> tuple[list[sql.Composed], dict[int, str]]:
    """The common table expressions that several keys are counted from, and which key reads which."""
    shared: dict[str | None, list[int]] = {}
    for number, key in enumerate(keys):
        if sample_percent is not None or not _served(table, key):
            shared.setdefault(key.predicate, []).append(number)
    sources: list[sql.Composed] = []
    source_of: dict[int, str] = {}
    for predicate, numbers in shared.items():
        if len(numbers) < 2 and sample_percent is None:
            continue
        name = f"source_{len(sources)}"
        columns = tuple(dict.fromkeys(column for number in numbers for column in keys[number].columns))
        sources.append(
            sql.SQL("{} AS MATERIALIZED (SELECT {} FROM {}{}{})").format(
                sql.Identifier(name), names(columns), relation(table), _sample(sample_percent), _where(predicate)
            )
        )
        source_of.update(dict.fromkeys(numbers, name))
    return sources, source_of


def _served(table: Table, key: KeyQuery) -> bool:
    """Whether a whole index on exactly the key's columns can be read in their order instead of the table."""
    return any(
        index.valid and index.method == "btree" and index.predicate is None
        and index.columns[: len(key.columns)] == key.columns and key.predicate is None
        for index in table.indexes
    )  # fmt: skip


def _sample(percent: float | None) -> sql.Composable:
    if percent is None:
        return sql.SQL("")
    return sql.SQL(" TABLESAMPLE SYSTEM ({}) REPEATABLE (1)").format(sql.Literal(round(percent, 6)))


def _where(predicate: str | None) -> sql.Composable:
    return sql.SQL("") if predicate is None else sql.SQL(" WHERE ({}\n)").format(sql.SQL(predicate))


def _counting(table: Table, key: KeyQuery, number: int, source: str | None) -> sql.Composed:
    """One row: number, rows, rows with NULL, distinct keys, repeated keys, empty rows, repeated keys with some NULL.

    As few aggregates over the groups as will do: with 400,000 groups each costs some percent. The rest
    is arithmetic (`_counts`).
    """
    if len(key.columns) == 1:
        column = sql.Identifier(key.columns[0])
        nulls: sql.Composable = sql.SQL("max(n) FILTER (WHERE {} IS NULL)").format(column)
        null_groups: sql.Composable = sql.SQL("CASE WHEN {} > 0 THEN 1 ELSE 0 END").format(nulls)
        open_groups: sql.Composable = sql.SQL("0")
        text = table.by_name[key.columns[0]].category == "S"
        # a text type, or one that is read as text: under the pinned path `=` is that of text
        empty: sql.Composable = sql.SQL("max(n) FILTER (WHERE {} = '')").format(column) if text else sql.SQL("0")
        repeated_nulls: sql.Composable = sql.SQL("CASE WHEN {} > 1 THEN 1 ELSE 0 END").format(nulls)
    else:
        partly = sql.SQL("NOT ({})").format(not_null(key.columns))
        some = sql.SQL(" OR ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in key.columns)
        nulls = sql.SQL("sum(n) FILTER (WHERE {})").format(partly)
        null_groups = sql.SQL("count(*) FILTER (WHERE {})").format(partly)
        repeated_nulls = sql.SQL("count(*) FILTER (WHERE n > 1 AND {})").format(partly)
        open_groups = sql.SQL("count(*) FILTER (WHERE n > 1 AND {} AND ({}))").format(partly, some)
        empty = sql.SQL("0")
    return sql.SQL(
        "SELECT {number}, sum(n)::bigint, ({nulls})::bigint, count(*) - ({null_groups}),"
        " count(*) FILTER (WHERE n > 1) - ({repeated_nulls}), ({empty})::bigint, {open_groups}"
        " FROM (SELECT {key}, count(*) AS n FROM {source}{where} GROUP BY {key}) AS grouped"
    ).format(
        number=sql.Literal(number),
        nulls=nulls,
        null_groups=null_groups,
        repeated_nulls=repeated_nulls,
        empty=empty,
        open_groups=open_groups,
        key=names(key.columns),
        source=sql.Identifier(source) if source else relation(table),
        where=sql.SQL("") if source else _where(key.predicate),
    )


def _counts(row: tuple[Any, ...]) -> KeyCounts:
    """The counts of one row of `_counting`: what is beyond the first of each whole key is excess."""
    rows, nulls, distinct, groups, empty, still_open = (int(value or 0) for value in row)
    return KeyCounts(rows, nulls, distinct, groups, rows - nulls - distinct, empty, still_open)


def relation(table: Table) -> sql.Composable:
    """The table's own rows: a plain parent of inheriting tables without its children, as its indexes see it."""
    name = sql.Identifier(table.schema, table.name)
    return sql.SQL("ONLY {}").format(name) if table.kind == "r" and table.inherits else name


def names(columns: Sequence[str]) -> sql.Composable:
    """Column names, comma-separated."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def texts(columns: Sequence[str]) -> sql.Composable:
    """Columns cast to text, comma-separated."""
    return sql.SQL(", ").join(as_text(sql.Identifier(name)) for name in columns)


def not_null(columns: Sequence[str]) -> sql.Composable:
    """The condition that no column is NULL."""
    return sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in columns)
