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

from ..key import Approved, Key, Policy, names, raw, value
from ..table import TargetTable

WORK = sql.Identifier("pg_temp", "vaccine_work")
WORK_MEM = "64MB"
FEW = 1000  # approved rows up to which a revision names each
MARK_BYTES = 5  # of each where they are more: among a million, one unapproved row in a million would pass for approved
NAMED = 20  # rows that a message names
VERSIONS = "ctid AS {}", "xmin AS {}", "first_value(ctid) OVER ranked AS {}", "first_value(xmin) OVER ranked AS {}"
TEXT_OF = sql.SQL(  # types below 16384 came with PostgreSQL; of others their output function is asked
    "(CASE WHEN pg_catalog.pg_typeof({0})::pg_catalog.oid < 16384 THEN {0}::pg_catalog.text"
    " ELSE pg_catalog.format('%s', {0}) END) COLLATE \"C\""
)
# The text of a date or a number hangs on these; what was approved as text must not.
# Of a primary key's column. The owner of a type may have made a cast to text, whose function would be run.
TEXT = 'CASE WHEN pg_catalog.pg_typeof({0})::oid < 16384 THEN {0}::text ELSE pg_catalog.concat({0}) END COLLATE "C"'
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


@dataclass(frozen=True)
class Others:
    """Excess rows that no plan approved: how many, and the first of them, each with the survivor that it has now."""

    rows: int
    first: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]

    @classmethod
    def of(cls, answer: list[tuple[int, list[str], list[str]]]) -> Others:
        """From what `other_rows_statement` gave."""
        return cls(answer[0][0] if answer else 0, tuple((tuple(row), tuple(beside)) for _, row, beside in answer))

    def __str__(self) -> str:
        """In words, the first of them by name."""
        shown = ", ".join(f"{_name(row)} (beside {_name(survivor)})" for row, survivor in self.first)
        more = ", …" if self.rows > len(self.first) else ""
        rows = "1 row" if self.rows == 1 else f"{self.rows} rows"
        return (
            f"{rows} would be resolved that the plan did not approve, or not beside the same survivor: primary key "
            f"{shown}{more}"
        )


def _name(primary_key: tuple[str, ...]) -> str:
    return primary_key[0] if len(primary_key) == 1 else f"({', '.join(primary_key)})"


def other_rows(connection: psycopg.Connection, work: Work) -> Others:
    """The rows of the work table that the policy does not approve; none where it approves by number alone."""
    if work.policy.rows is None or not work.rows:
        return Others(0, ())
    statement = other_rows_statement(
        work.policy.rows, WORK, text_array(work.excess), text_array(work.survivor), sql.Identifier(work.number)
    )
    with connection.transaction():
        for setting in (*TEXT_FORM, f"SET LOCAL work_mem = '{WORK_MEM}'"):
            connection.execute(setting)
        return Others.of(connection.execute(statement).fetchall())


def other_rows_statement(
    rows: Approved, source: sql.Composable, excess: sql.Composable, survivor: sql.Composable, number: sql.Composable
) -> sql.Composed:
    """The drift rule as one query: the excess rows of `source` that are not among the approved ones.

    A row counts together with its survivor: one that moved to another group, or whose group would keep another row, is
    not the row that was approved. Fewer rows than approved give none. `excess` and `survivor` are text[] expressions
    over `source` (`text_array`), `number` its order; the settings of `TEXT_FORM` must hold. Gives at most `NAMED` rows
    (how many there are in all, primary key, survivor).
    """
    few = not isinstance(rows, str)
    return sql.SQL(
        "SELECT pg_catalog.count(*) OVER (), x.excess, x.survivor"
        " FROM (SELECT {number} AS number, {excess} AS excess, {survivor} AS survivor FROM {source}) AS x"
        " WHERE NOT EXISTS (SELECT FROM ({approved}) AS a (mark) WHERE a.mark OPERATOR(pg_catalog.=) {mark})"
        " ORDER BY x.number LIMIT {named}"
    ).format(
        number=number,
        excess=excess,
        survivor=survivor,
        source=source,
        approved=_pairs(rows) if not isinstance(rows, str) else _marks(rows),
        mark=_pair("x.excess", "x.survivor") if few else mark("x.excess", "x.survivor"),
        named=sql.Literal(NAMED),
    )


def text_array(columns: tuple[str, ...]) -> sql.Composable:
    """The columns as text[], by no cast to text that the owner of a type may have made.

    In the collation "C": one that is nondeterministic has no hash of a text.
    """
    texts = (TEXT_OF.format(sql.Identifier(name)) for name in columns)
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(texts))


def mark(excess: str, survivor: str) -> sql.Composable:
    """A few bytes that stand for an excess row and its survivor, the same on every server and in every encoding."""
    return sql.SQL("pg_catalog.substr(pg_catalog.sha256(pg_catalog.convert_to({}, 'UTF8')), 1, {})").format(
        _pair(excess, survivor), sql.Literal(MARK_BYTES)
    )


def _pair(excess: str, survivor: str) -> sql.Composable:
    return sql.SQL(f'pg_catalog.array_cat({excess}, {survivor})::text COLLATE "C"')


def _pairs(groups: tuple[tuple[tuple[str, ...], ...], ...]) -> sql.Composable:
    """The approved pairs, one a row; the text form of an array is PostgreSQL's own."""
    pairs = [
        sql.SQL('(ARRAY[{}]::text[]::text COLLATE "C")').format(sql.SQL(", ").join(map(sql.Literal, (*row, *survivor))))
        for survivor, *excess in groups
        for row in excess
    ]
    return sql.SQL("VALUES {}").format(sql.SQL(", ").join(pairs)) if pairs else sql.SQL("SELECT NULL::text WHERE FALSE")


def _marks(joined: str) -> sql.Composable:
    """The approved marks, one a row, out of their base64."""
    return sql.SQL(
        "SELECT pg_catalog.substr(m.joined, n.place, {length})"
        " FROM (SELECT pg_catalog.decode({joined}, 'base64')) AS m (joined)"
        " CROSS JOIN LATERAL pg_catalog.generate_series(1, pg_catalog.length(m.joined), {length}) AS n (place)"
    ).format(joined=sql.Literal(joined), length=sql.Literal(MARK_BYTES))


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
    return sql.SQL("CREATE TEMPORARY TABLE vaccine_work AS {}").format(excess_rows(work))


def excess_rows(work: Work, source: sql.Composable | None = None) -> sql.Composed:
    """The excess rows, numbered, each with its survivor and the row versions that were seen.

    The plan finds them by this very query. Out of another `source` than the table, such as the table as an earlier
    vaccination would leave it, there are no row versions.
    """
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
        for of, alias in zip(VERSIONS if source is None else (), work.seen if source is None else (), strict=True)
    ]
    return sql.SQL(
        "SELECT row_number() OVER (ORDER BY {excess})::integer AS {number}, {columns} FROM ("
        "SELECT {found}, row_number() OVER ranked AS {place}, {kept} AS {kept_name}"
        " FROM {source} WHERE {live} WINDOW ranked AS ({ranking} ROWS UNBOUNDED PRECEDING)) AS found"
        " WHERE {place} > 1 AND NOT {kept_name}"
    ).format(
        number=sql.Identifier(work.number),
        excess=names(work.excess),
        columns=names((*work.excess, *work.survivor, *(work.seen if source is None else ()))),
        found=sql.SQL(", ").join([*own, *first, *versions]),
        place=sql.Identifier("vaccine_place"),
        kept=kept(work),
        kept_name=sql.Identifier("vaccine_kept"),
        source=source or work.table.source,
        live=live_key(work.key),
        ranking=ranking(work),
    )
