"""Live duplicates in detail: the worst groups with their rows, when they were made, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from vaccine.audit.counts import VALUES_COUNTED, KeyQuery, live_rows, names, not_null, relation, texts
from vaccine.candidates.words import snake
from vaccine.catalog.model import Column, Table
from vaccine.catalog.reader import Reader
from vaccine.catalog.values import as_text, equal_keys

GROUPS_SHOWN = 5
# Values that stand for no value, in lower case and without outer blanks.
PLACEHOLDERS = frozenset(
    ("", "-", "--", "---", ".", "?", "0", "n/a", "na", "n.a.", "none", "null", "nil", "nan", "unknown", "undefined",
     "tbd", "not available", "not applicable", "unspecified", "missing")
)  # fmt: skip
ROWS_SHOWN = 10
CREATED = (
    "created_at", "date_created", "created_on", "created", "inserted_at", "creation_date", "created_date",
    "create_time", "recorded_at", "first_seen_at", "received_at", "added_at", "timestamp",
)  # fmt: skip
SOURCES = (
    "source_system", "source", "origin", "created_by", "user_created", "author", "author_id", "created_by_id", "actor",
    "reported_by", "reporter", "agent", "client", "application", "app", "hostname", "host",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SampleGroup:
    """One duplicate group with the first of its rows, the survivor first. All values as text."""

    key: tuple[str | None, ...]
    size: int
    ids: tuple[str, ...]  # primary keys; composite ones joined by a comma
    rows: tuple[tuple[str | None, ...], ...] = ()  # as `Details.columns`


@dataclass(frozen=True, slots=True)
class Details:
    """What live duplicates look like, when they were made, and by whom."""

    columns: tuple[str, ...] = ()
    groups: tuple[SampleGroup, ...] = ()
    newest_at: str | None = None  # creation of the youngest excess row, ISO 8601
    newest_age_s: float | None = None
    bursts: float | None = None  # the share of excess rows that were made within seconds of the one before
    sources: tuple[tuple[str, str, int], ...] = ()  # (column, value, rows)
    by_value: tuple[tuple[str, str | None, int, int], ...] = ()  # (column, value, groups, excess rows)
    activity: tuple[tuple[str | None, str | None, int], ...] = ()  # (user, user agent, rows), from directus_activity
    variants: int | None = None  # keys that differ from another only by case or blanks

    @property
    def placeholders(self) -> tuple[SampleGroup, ...]:
        """The groups whose key stands for no value: the empty string, N/A. Such are among the largest."""
        return tuple(group for group in self.groups if len(group.key) == 1 and _no_value(group.key[0]))


def describe_duplicates(
    reader: Reader, table: Table, key: KeyQuery, survivor: Sequence[str], lifecycle_column: str | None
) -> Details:
    """The worst live groups with their rows, the newest duplicate, and its sources."""
    created = made_at(table)
    shown = _shown_columns(table, key, created, lifecycle_column)
    groups = _groups(reader, table, key, survivor, shown)
    newest, age = _newest(reader, table, key, created) if created else (None, None)
    return Details(
        columns=shown,
        groups=groups,
        newest_at=newest,
        newest_age_s=age,
        bursts=bursts(reader, table, key) if created else None,
        sources=_sources(reader, table, key),
    )


def made_at(table: Table) -> str | None:
    """The column that says when a row was made."""
    by_name = {snake(column.name): column for column in table.columns if _is_time(column)}
    return next((by_name[name].name for name in CREATED if name in by_name), None)


def _is_time(column: Column) -> bool:
    """A type of PostgreSQL's own: the cast of another one would run its owner's code."""
    return column.type.startswith(("timestamp", "date"))


def bursts(reader: Reader, table: Table, key: KeyQuery) -> float | None:
    """The share of excess rows that were made within seconds of the one before them: races, not groups.

    None where no column says when a row was made, or none is excess. Call it inside a block.
    """
    created = made_at(table)
    if created is None:
        return None
    query = sql.SQL(
        "SELECT (count(*) FILTER (WHERE made - before <= {seconds}))::float8 / nullif(count(before), 0) FROM ("
        " SELECT {made}::timestamp AS made, lag({made}::timestamp) OVER (PARTITION BY {key} ORDER BY {made}) AS before"
        " FROM {table} WHERE {live}) AS ordered"
    ).format(
        made=sql.Identifier(created),
        key=names(key.columns),
        table=relation(table),
        live=live_rows(key),
        seconds=sql.SQL("'10 s'::interval"),
    )
    share = reader.row(query)[0]
    return None if share is None else float(share)


def _no_value(value: str | None) -> bool:
    return value is not None and value.strip().lower() in PLACEHOLDERS


def by_value(reader: Reader, table: Table, key: KeyQuery, column: str) -> tuple[tuple[str, str | None, int, int], ...]:
    """Duplicate groups and excess rows within each value of a lifecycle column."""
    name = sql.Identifier(column)
    dated = table.by_name[column].category == "D"  # each retired row may have a time of its own
    query = sql.SQL(
        "SELECT {text}, count(*), sum(n - 1)::bigint FROM (SELECT {value} AS value, count(*) AS n FROM {table}"
        " WHERE {key_is_set} GROUP BY {value}, {key} HAVING count(*) > 1) AS repeated"
        " GROUP BY value ORDER BY 2 DESC, 1 LIMIT {limit}"
    ).format(
        text=as_text(sql.Identifier("value")),
        value=sql.SQL("CASE WHEN {} IS NOT NULL THEN 'a time' END").format(name) if dated else name,
        table=relation(table),
        key=names(key.columns),
        key_is_set=not_null(key.columns),
        limit=sql.Literal(VALUES_COUNTED),
    )
    return tuple((column, value, groups, excess) for value, groups, excess in reader.rows(query))


def created_through(
    reader: Reader, activity: tuple[str, str], table: Table, groups: Sequence[SampleGroup]
) -> tuple[tuple[str | None, str | None, int], ...]:
    """Who created the rows of these groups, by Directus's record: user and user agent; flows leave both empty."""
    query = sql.SQL(
        "SELECT a.\"user\"::text, a.user_agent::text, count(*) FROM {activity} a WHERE a.action = 'create'"
        " AND a.collection = {table} AND a.item::text = ANY ({ids}) GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 5"
    ).format(
        activity=sql.Identifier(*activity),
        table=sql.Literal(table.name),
        ids=sql.Literal([one for group in groups for one in group.ids]),
    )
    return tuple((user, agent, rows) for user, agent, rows in reader.rows(query))


def _groups(
    reader: Reader, table: Table, key: KeyQuery, survivor: Sequence[str], shown: tuple[str, ...]
) -> tuple[SampleGroup, ...]:
    order = sql.SQL(", ").join(sql.SQL(f"{each}\n") for each in survivor) if survivor else sql.SQL("1")
    spot, aliases = (table.schema, table.name), [f"vaccine_k{place}" for place in range(len(key.columns))]
    query = sql.SQL(
        "SELECT vaccine_number, vaccine_size, ARRAY[{keys}]::text[], ARRAY[{ids}]::text[], ARRAY[{shown}]::text[]"
        " FROM ("
        " SELECT live.*, worst.vaccine_size, worst.vaccine_number,"
        " row_number() OVER (PARTITION BY worst.vaccine_number ORDER BY {order}) AS vaccine_place"
        " FROM (SELECT * FROM {table} WHERE {live}) AS live"
        " JOIN (SELECT {named}, count(*) AS vaccine_size,"
        "              row_number() OVER (ORDER BY count(*) DESC, {key}) AS vaccine_number"
        "         FROM {table} WHERE {live} GROUP BY {key} HAVING count(*) > 1"
        "        ORDER BY vaccine_number LIMIT {groups}) AS worst"
        " ON {same}) AS member WHERE vaccine_place <= {rows} ORDER BY vaccine_number, vaccine_place"
    ).format(
        keys=texts(key.columns), ids=texts(table.primary_key), shown=texts(shown), order=order, table=relation(table),
        live=live_rows(key), key=names(key.columns), groups=sql.Literal(GROUPS_SHOWN), rows=sql.Literal(ROWS_SHOWN),
        named=sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(sql.Identifier(name), sql.Identifier(alias))
            for name, alias in zip(key.columns, aliases, strict=True)
        ),
        same=equal_keys(reader.rows, spot, key.columns, "live", ("worst", aliases)),
    )  # fmt: skip
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in reader.rows(query):
        found.setdefault(row[0], []).append(row)
    return tuple(
        SampleGroup(
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
    ).format(created=sql.Identifier(created), key=names(key.columns), table=relation(table), live=live_rows(key))
    newest, age = reader.row(query)
    return (newest.isoformat(), age) if newest is not None else (None, None)


def _sources(reader: Reader, table: Table, key: KeyQuery) -> tuple[tuple[str, str, int], ...]:
    """Who made the live duplicates, by a column that names a source."""
    column = next((name for name in SOURCES if name in table.by_name and name not in key.columns), None)
    if column is None:
        return ()
    query = sql.SQL(
        "SELECT {who}, count(*) FROM (SELECT {column} AS who, count(*) OVER (PARTITION BY {key}) AS n"
        " FROM {table} WHERE {live}) AS live WHERE n > 1 AND who IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"
    ).format(
        who=as_text(sql.Identifier("who")),
        column=sql.Identifier(column),
        key=names(key.columns),
        table=relation(table),
        live=live_rows(key),
    )
    return tuple((column, who, rows) for who, rows in reader.rows(query))


def _shown_columns(table: Table, key: KeyQuery, created: str | None, lifecycle_column: str | None) -> tuple[str, ...]:
    """The columns that tell the rows of a group apart for a reader: primary key, lifecycle, times, sources."""
    wanted = [*table.primary_key, lifecycle_column, created, "last_seen_at", "updated_at", "date_updated", *SOURCES[:4]]
    wanted += ["name", "title", "issue_class", "type", "kind"]
    return tuple(dict.fromkeys(name for name in wanted if name and name in table.by_name and name not in key.columns))[
        :8
    ]
