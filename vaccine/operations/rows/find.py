"""Find the duplicate groups once, into a temporary table that lasts as long as the run's connection.

Beside each excess row and its survivor stand the row versions that were seen: `ctid` and `xmin` (manual, section
5.6). As long as both are the same, all that was found of the two rows holds.

Temporary, so that a run that was killed leaves nothing: the next one looks again. Grouping is done by the
window's PARTITION BY, which asks the column's own operator class and collation for equality, as a unique
index does; `=` would ask the search_path. A row with a NULL in its key is no duplicate for a unique index
(manual, section 11.6).
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from ..key import Key, Policy, names, raw, value
from ..table import TargetTable

WORK = sql.Identifier("pg_temp", "vaccine_work")
WORK_MEM = "64MB"
# The text of a date or a number hangs on these; a digest of texts must not.
TEXT_FORM = (
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
)


@dataclass(frozen=True)
class Work:
    """The excess rows that were found: numbered 1 to `rows` in primary-key order, each with its survivor."""

    table: TargetTable
    key: Key
    policy: Policy
    rows: int
    groups: int

    @property
    def number(self) -> str:
        """The work table's column with the row's number."""
        return self.table.free("vaccine_n")

    @property
    def excess(self) -> tuple[str, ...]:
        """The work table's columns with the primary key of the excess row."""
        return tuple(self.table.free(f"vaccine_p{place}") for place, _ in enumerate(self.table.primary_key))

    @property
    def survivor(self) -> tuple[str, ...]:
        """The work table's columns with the primary key of the survivor."""
        return tuple(self.table.free(f"vaccine_s{place}") for place, _ in enumerate(self.table.primary_key))

    @property
    def seen(self) -> tuple[str, str, str, str]:
        """The work table's columns with ctid and xmin of the excess row, then those of the survivor."""
        names_of = ("vaccine_p_ctid", "vaccine_p_xmin", "vaccine_s_ctid", "vaccine_s_xmin")
        first, second, third, fourth = (self.table.free(name) for name in names_of)
        return first, second, third, fourth


def find(connection: psycopg.Connection, table: TargetTable, key: Key, policy: Policy) -> Work:
    """Fill the work table with the excess rows of all live duplicate groups as they are now."""
    work = Work(table, key, policy, 0, 0)
    with connection.transaction():
        connection.execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(WORK))
        connection.execute(find_statement(work))
        connection.execute(
            sql.SQL("CREATE UNIQUE INDEX ON {} ({})").format(WORK, sql.Identifier(work.number)),
        )
        row = connection.execute(
            sql.SQL(
                "SELECT coalesce(sum(x.rows), 0)::bigint, count(*)"
                " FROM (SELECT count(*) FROM {} GROUP BY {}) AS x (rows)"
            ).format(WORK, names(work.survivor))
        ).fetchone()
    assert row is not None
    return Work(table, key, policy, row[0], row[1])


def excess_digest(connection: psycopg.Connection, work: Work) -> str:
    """A digest of the excess rows' primary keys as text, in whatever order; the planner makes the same of its own."""
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("w", name)) for name in work.excess)
    with connection.transaction():
        for statement in TEXT_FORM:
            connection.execute(statement)
        row = connection.execute(
            sql.SQL(
                "SELECT coalesce(sum(pg_catalog.hashtextextended(ROW({})::text || '-', 0)), 0)::text FROM {} AS w"
            ).format(texts, WORK)
        ).fetchone()
    assert row is not None
    return str(row[0])


def assignments(policy: Policy) -> sql.Composable:
    """What retires a row, as SET takes it."""
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), value(to)) for column, to in policy.assign.items()
    )


def live_key(key: Key) -> sql.Composable:
    """The condition under which a row counts for the unique index: live, and no NULL in its key."""
    return sql.SQL("{} AND pg_catalog.num_nulls({}) = 0").format(key.live, key.column_list)


def ranking(work: Work, before: sql.Composable | None = None) -> sql.Composable:
    """The window that puts each group's survivor first: rows kept by hand, then the policy, then the primary key."""
    partition = work.key.column_list if before is None else sql.SQL("{}, {}").format(before, work.key.column_list)
    terms = [raw(f"{term}\n") for term in work.policy.survivor]
    order = sql.SQL(", ").join([sql.SQL("{} DESC").format(kept(work)), *terms, names(work.table.primary_key)])
    return sql.SQL("PARTITION BY {} ORDER BY {}").format(partition, order)


def kept(work: Work) -> sql.Composable:
    """Whether a row is one that the plan keeps by hand: FALSE or a list of primary keys."""
    if not work.policy.keep:
        return sql.SQL("FALSE")
    types = [
        column.type_name for name in work.table.primary_key for column in work.table.columns if column.name == name
    ]
    rows = [
        sql.SQL("(") + sql.SQL(", ").join(
            sql.SQL("CAST({} AS {})").format(sql.Literal(text), raw(type_name))
            for text, type_name in zip(row, types, strict=True)
        ) + sql.SQL(")")
        for row in work.policy.keep
    ]  # fmt: skip
    return sql.SQL("(({}) IN ({}))").format(names(work.table.primary_key), sql.SQL(", ").join(rows))


def find_statement(work: Work) -> sql.Composed:
    """The statement that fills the work table."""
    primary_key = [sql.Identifier(name) for name in work.table.primary_key]
    own = [
        sql.SQL("{} AS {}").format(column, sql.Identifier(alias))
        for column, alias in zip(primary_key, work.excess, strict=True)
    ]
    first = [
        sql.SQL("first_value({}) OVER ranked AS {}").format(column, sql.Identifier(alias))
        for column, alias in zip(primary_key, work.survivor, strict=True)
    ]
    versions = [
        sql.SQL(of).format(sql.Identifier(alias))
        for of, alias in zip(
            ("ctid AS {}", "xmin AS {}", "first_value(ctid) OVER ranked AS {}", "first_value(xmin) OVER ranked AS {}"),
            work.seen,
            strict=True,
        )
    ]
    return sql.SQL(
        "CREATE TEMPORARY TABLE vaccine_work AS"
        " SELECT row_number() OVER (ORDER BY {excess})::integer AS {number}, {excess}, {survivor}, {seen} FROM ("
        "SELECT {own}, {first}, {versions}, row_number() OVER ranked AS {place}, {kept} AS {kept_name}"
        " FROM {source} WHERE {live} WINDOW ranked AS ({ranking} ROWS UNBOUNDED PRECEDING)) AS found"
        " WHERE {place} > 1 AND NOT {kept_name}"
    ).format(
        number=sql.Identifier(work.number),
        excess=names(work.excess),
        survivor=names(work.survivor),
        seen=names(work.seen),
        versions=sql.SQL(", ").join(versions),
        own=sql.SQL(", ").join(own),
        first=sql.SQL(", ").join(first),
        place=sql.Identifier("vaccine_place"),
        kept=kept(work),
        kept_name=sql.Identifier("vaccine_kept"),
        source=work.table.source,
        live=live_key(work.key),
        ranking=ranking(work),
    )
