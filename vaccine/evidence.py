"""What the rows of one table say of its candidate keys. PostgreSQL counts; a few groups come back, never the table.

Grouping is on the bare columns, as a unique index compares them: a cast or a hash would disagree for citext,
nondeterministic collations, numeric scales and padded text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from vaccine.catalog import Table
from vaccine.reader import Reader

GROUPS_SHOWN = 5
ROWS_SHOWN = 10
VALUES_COUNTED = 50
CREATED = (
    "created_at", "date_created", "created_on", "created", "inserted_at", "creation_date", "created_date", "create_time",
    "recorded_at", "first_seen_at", "received_at", "added_at", "timestamp",
)  # fmt: skip
SOURCES = (
    "source_system", "source", "origin", "created_by", "user_created", "author", "author_id", "created_by_id", "actor",
    "reported_by", "reporter", "agent", "client", "application", "app", "hostname", "host",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counts:
    """The groups of one key among some rows. Groups with a NULL in the key are apart."""

    rows: int
    nulls: int  # rows with a NULL in the key
    distinct: int  # keys without NULL
    groups: int  # of two rows or more
    excess: int  # rows beyond the first of each group
    empty: int = 0  # rows whose key is the empty string
    open_groups: int = 0  # repeated keys with a NULL in some column but not in all


@dataclass(frozen=True, slots=True)
class Group:
    """One duplicate group with the first of its rows, the survivor first. All values as text."""

    key: tuple[str | None, ...]
    size: int
    ids: tuple[str, ...]  # primary keys; composite ones joined by a comma
    rows: tuple[tuple[str | None, ...], ...] = ()  # as `Details.columns`


@dataclass(frozen=True, slots=True)
class Details:
    """What live duplicates look like, when they were made, and by whom."""

    columns: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    newest_at: str | None = None  # creation of the youngest excess row, ISO 8601
    newest_age_s: float | None = None
    sources: tuple[tuple[str, str, int], ...] = ()  # (column, value, rows)
    by_value: tuple[tuple[str, str | None, int, int], ...] = ()  # (column, value, groups, excess rows)
    variants: int | None = None  # keys that differ from another only by case or blanks


@dataclass(frozen=True)
class KeyQuery:
    """One key of a table and the rows to count it among; `predicate` None means all rows."""

    columns: tuple[str, ...]
    predicate: str | None = None
    reasons: tuple[str, ...] = field(default=())


def count_values(reader: Reader, table: Table, column: str) -> tuple[tuple[str, int], ...]:
    """The commonest values of a lifecycle column with their rows, as text, NULL left out."""
    query = sql.SQL(
        "SELECT {column}::text, count(*) FROM {table} WHERE {column} IS NOT NULL"
        " GROUP BY {column} ORDER BY count(*) DESC, {column}::text LIMIT {limit}"
    ).format(column=sql.Identifier(column), table=_relation(table), limit=sql.Literal(VALUES_COUNTED))
    return tuple((row[0], row[1]) for row in reader.rows(query))


def count_keys(reader: Reader, table: Table, keys: Sequence[KeyQuery]) -> tuple[Counts, ...]:
    """Count all keys of a table in one statement, and in one pass over the table where they share a predicate."""
    if not keys:
        return ()
    shared = _shared_source(table, keys)
    parts = [_counting(table, key, number, "source" if shared else None) for number, key in enumerate(keys)]
    query = sql.SQL(" UNION ALL ").join(parts)
    if shared:
        query = sql.SQL("WITH source AS MATERIALIZED ({}) ").format(shared) + query
    rows = sorted(reader.rows(query))
    return tuple(Counts(*(int(value or 0) for value in row[1:])) for row in rows)


def describe_duplicates(
    reader: Reader, table: Table, key: KeyQuery, survivor: Sequence[str], lifecycle_column: str | None
) -> Details:
    """The worst live groups with their rows, the newest duplicate, its sources, and duplicates by lifecycle value."""
    created = next((name for name in CREATED if name in table.by_name and table.by_name[name].category == "D"), None)
    shown = _shown_columns(table, key, created, lifecycle_column)
    groups = _groups(reader, table, key, survivor, shown)
    newest, age = _newest(reader, table, key, created) if created else (None, None)
    return Details(
        columns=shown,
        groups=groups,
        newest_at=newest,
        newest_age_s=age,
        sources=_sources(reader, table, key),
        by_value=by_value(reader, table, key, lifecycle_column) if lifecycle_column else (),
    )


def by_value(reader: Reader, table: Table, key: KeyQuery, column: str) -> tuple[tuple[str, str | None, int, int], ...]:
    """Duplicate groups and excess rows within each value of a lifecycle column."""
    query = sql.SQL(
        "SELECT value::text, count(*), sum(n - 1)::bigint FROM (SELECT {value} AS value, count(*) AS n FROM {table}"
        " WHERE {key_is_set} GROUP BY {value}, {key} HAVING count(*) > 1) AS repeated"
        " GROUP BY value ORDER BY 2 DESC, 1 LIMIT {limit}"
    ).format(
        value=sql.Identifier(column),
        table=_relation(table),
        key=_names(key.columns),
        key_is_set=_not_null(key.columns),
        limit=sql.Literal(VALUES_COUNTED),
    )
    return tuple((column, value, groups, excess) for value, groups, excess in reader.rows(query))


def count_variants(reader: Reader, table: Table, key: KeyQuery) -> int:
    """Keys that equal another one when case and outer blanks are ignored; for one text column."""
    query = sql.SQL(
        "SELECT coalesce(sum(n), 0)::bigint FROM (SELECT count(*) AS n FROM"
        " (SELECT DISTINCT {key} AS value FROM {table} WHERE {live}) AS known"
        " GROUP BY pg_catalog.lower(pg_catalog.btrim(value::text)) HAVING count(*) > 1) AS folded"
    ).format(key=sql.Identifier(key.columns[0]), table=_relation(table), live=live_rows(key))
    return int(reader.row(query)[0])


def live_rows(key: KeyQuery) -> sql.Composable:
    """The condition of a live row with a whole key."""
    if key.predicate is None:
        return _not_null(key.columns)
    return sql.SQL("({}\n) AND {}").format(sql.SQL(key.predicate), _not_null(key.columns))  # type: ignore[arg-type]


def _shared_source(table: Table, keys: Sequence[KeyQuery]) -> sql.Composable | None:
    if len(keys) < 2 or len({key.predicate for key in keys}) > 1:
        return None
    columns = dict.fromkeys(name for key in keys for name in key.columns)
    query = sql.SQL("SELECT {} FROM {}").format(_names(tuple(columns)), _relation(table))
    predicate = keys[0].predicate
    return query if predicate is None else query + sql.SQL(" WHERE ({}\n)").format(sql.SQL(predicate))  # type: ignore[arg-type]


def _counting(table: Table, key: KeyQuery, number: int, source: str | None) -> sql.Composed:
    """One row: number, rows, nulls, distinct, groups, excess, empty, open groups."""
    where = sql.SQL("")
    if source is None and key.predicate is not None:
        where = sql.SQL(" WHERE ({}\n)").format(sql.SQL(key.predicate))  # type: ignore[arg-type,assignment]
    whole = _not_null(key.columns)
    text = len(key.columns) == 1 and table.by_name[key.columns[0]].category == "S"
    empty = sql.SQL("sum(n) FILTER (WHERE {} = '')").format(sql.Identifier(key.columns[0])) if text else sql.SQL("0")
    some = sql.SQL(" OR ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in key.columns)
    return sql.SQL(
        "SELECT {number}, sum(n)::bigint, sum(n) FILTER (WHERE NOT ({whole}))::bigint, count(*) FILTER (WHERE {whole}),"
        " count(*) FILTER (WHERE n > 1 AND {whole}), sum(n - 1) FILTER (WHERE n > 1 AND {whole})::bigint,"
        " ({empty})::bigint, count(*) FILTER (WHERE n > 1 AND NOT ({whole}) AND ({some}))"
        " FROM (SELECT {key}, count(*) AS n FROM {source}{where} GROUP BY {key}) AS grouped"
    ).format(
        number=sql.Literal(number),
        whole=whole,
        some=some,
        empty=empty,
        key=_names(key.columns),
        source=sql.Identifier(source) if source else _relation(table),
        where=where,
    )


def _groups(
    reader: Reader, table: Table, key: KeyQuery, survivor: Sequence[str], shown: tuple[str, ...]
) -> tuple[Group, ...]:
    order = sql.SQL(", ").join(map(sql.SQL, survivor)) if survivor else sql.SQL("1")  # type: ignore[arg-type]
    query = sql.SQL(
        "SELECT number, size, ARRAY[{keys}]::text[], ARRAY[{ids}]::text[], ARRAY[{shown}]::text[] FROM ("
        " SELECT live.*, worst.size AS size, worst.number AS number,"
        " row_number() OVER (PARTITION BY worst.number ORDER BY {order}) AS place"
        " FROM (SELECT * FROM {table} WHERE {live}) AS live"
        " JOIN (SELECT {key}, count(*) AS size, row_number() OVER (ORDER BY count(*) DESC, {key}) AS number"
        "         FROM {table} WHERE {live} GROUP BY {key} HAVING count(*) > 1 ORDER BY 2 DESC LIMIT {groups}) AS worst"
        " USING ({key})) AS member WHERE place <= {rows} ORDER BY number, place"
    ).format(
        keys=_texts(key.columns), ids=_texts(table.primary_key), shown=_texts(shown), order=order, table=_relation(table),
        live=live_rows(key), key=_names(key.columns), groups=sql.Literal(GROUPS_SHOWN), rows=sql.Literal(ROWS_SHOWN),
    )  # fmt: skip
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in reader.rows(query):
        found.setdefault(row[0], []).append(row)
    return tuple(
        Group(
            tuple(rows[0][2]), rows[0][1], tuple(",".join(row[3]) for row in rows), tuple(tuple(row[4]) for row in rows)
        )
        for rows in found.values()
    )


def _newest(reader: Reader, table: Table, key: KeyQuery, created: str) -> tuple[str | None, float | None]:
    """When the youngest excess row was made: the second of its group or later."""
    query = sql.SQL(
        "SELECT max(made)::timestamptz, extract(epoch FROM now() - max(made)::timestamptz)::float8 FROM ("
        " SELECT {created} AS made, row_number() OVER (PARTITION BY {key} ORDER BY {created}) AS place"
        " FROM {table} WHERE {live}) AS ordered WHERE place > 1"
    ).format(created=sql.Identifier(created), key=_names(key.columns), table=_relation(table), live=live_rows(key))
    newest, age = reader.row(query)
    return (newest.isoformat(), age) if newest is not None else (None, None)


def _sources(reader: Reader, table: Table, key: KeyQuery) -> tuple[tuple[str, str, int], ...]:
    """Who made the live duplicates, by a column that names a source."""
    column = next((name for name in SOURCES if name in table.by_name and name not in key.columns), None)
    if column is None:
        return ()
    query = sql.SQL(
        "SELECT who::text, count(*) FROM (SELECT {column} AS who, count(*) OVER (PARTITION BY {key}) AS n"
        " FROM {table} WHERE {live}) AS live WHERE n > 1 AND who IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"
    ).format(column=sql.Identifier(column), key=_names(key.columns), table=_relation(table), live=live_rows(key))
    return tuple((column, who, rows) for who, rows in reader.rows(query))


def _shown_columns(table: Table, key: KeyQuery, created: str | None, lifecycle_column: str | None) -> tuple[str, ...]:
    """The columns that tell the rows of a group apart for a reader: primary key, lifecycle, times, sources."""
    wanted = [*table.primary_key, lifecycle_column, created, "last_seen_at", "updated_at", "date_updated", *SOURCES[:4]]
    wanted += ["name", "title", "issue_class", "type", "kind"]
    return tuple(dict.fromkeys(name for name in wanted if name and name in table.by_name and name not in key.columns))[
        :8
    ]


def _relation(table: Table) -> sql.Composable:
    """The table's own rows: a plain parent of inheriting tables without its children, as its indexes see it."""
    name = sql.Identifier(table.schema, table.name)
    return sql.SQL("ONLY {}").format(name) if table.kind == "r" and table.inherits else name


def _names(columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _texts(columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in columns)


def _not_null(columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in columns)
