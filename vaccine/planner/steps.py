"""The steps of a vaccination and of its undo: the SQL, the lock that each statement takes, what it blocks.

The statements are those that the revision's operations send, with the batch's own bookkeeping left out; a test
compares them with what a real upgrade sends. Lock modes: manual, section 13.3.1 and each command's page.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from vaccine.finding import Expression, Scalar
from vaccine.locks import LockMode
from vaccine.plan import Statement, Step, Vaccination


def up(of: Vaccination) -> tuple[Step, ...]:
    """What `alembic upgrade` does, in order."""
    resolving = _resolve(of) if of.fingerprint.excess_rows else ()
    return (
        Step("preflight", (), "reads the catalog and counts the duplicates again; refuses, with every reason, if anything drifted"),
        *resolving,
        Step(
            "index",
            (Statement(index_sql(of), LockMode.SHARE_UPDATE_EXCLUSIVE, "once; reads the table twice, waits for open writers"),),
            _gate_note(of),
        ),
        Step("verify", (), "the index is valid and as planned, no live duplicate is left, journal and counts agree"),
    )  # fmt: skip


def down(of: Vaccination) -> tuple[Step, ...]:
    """What `alembic downgrade` does, in order."""
    drop = sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(of.schema, of.index_name)).as_string()
    steps = [Step("drop", (Statement(drop, LockMode.SHARE_UPDATE_EXCLUSIVE, "once; waits for sessions that use it"),))]
    if of.fingerprint.excess_rows:
        steps.append(_restore(of))
    return tuple(steps)


def index_sql(of: Vaccination) -> str:
    """The CREATE INDEX of the vaccination."""
    statement = sql.SQL("CREATE UNIQUE INDEX CONCURRENTLY {} ON {} ({})").format(
        sql.Identifier(of.index_name), _table(of), _names(of.columns)
    )
    return statement.as_string() + (f" WHERE {of.where}" if of.where else "")


def _resolve(of: Vaccination) -> tuple[Step, ...]:
    key = _names(of.primary_key).as_string()
    live = _live(of)
    find = (
        f"CREATE TEMPORARY TABLE vaccine_work AS SELECT {key}, first_value(…) OVER ranked AS survivor"
        f" FROM {_table(of).as_string()} WHERE {live}"
        f" WINDOW ranked AS (PARTITION BY {_names(of.columns).as_string()} ORDER BY {', '.join(of.survivor)})"
    )
    rows = f"({key}) IN (the batch)"
    lock = f"SELECT {key} FROM {_table(of).as_string()} WHERE {rows} AND {live} ORDER BY {key} FOR NO KEY UPDATE"
    update = f"UPDATE {_table(of).as_string()} SET {_assignments(of)} WHERE {rows}"
    return (
        Step("find", (Statement(find, LockMode.ACCESS_SHARE, "once"),), "the duplicate groups, found once"),
        Step(
            "resolve",
            (
                Statement(lock, LockMode.ROW_SHARE, "each batch; locks only the excess rows"),
                Statement("INSERT INTO vaccine.images_… SELECT old images", LockMode.ACCESS_SHARE, "each batch"),
                Statement(update, LockMode.ROW_EXCLUSIVE, "each batch"),
                Statement("INSERT INTO vaccine.images_… SELECT new images", LockMode.ACCESS_SHARE, "each batch"),
            ),
            "one transaction a batch, of about 25 ms; old images are written before the rows change",
        ),
    )


def _restore(of: Vaccination) -> Step:
    columns = ", ".join(f"{sql.Identifier(name).as_string()} = old.…" for name, _ in of.assign)
    update = f"UPDATE {_table(of).as_string()} SET {columns} WHERE the row is still as Vaccine left it"
    return Step(
        "restore",
        (Statement(update, LockMode.ROW_EXCLUSIVE, "each batch"),),
        "every row that nobody changed since equals its old image, byte for byte; changed ones keep their edit and are listed",
    )


def _gate_note(of: Vaccination) -> str:
    if of.gate == "always":
        return "a gate trigger goes up first and comes down at the end: CREATE TRIGGER takes SHARE ROW EXCLUSIVE for some ms"
    if of.gate == "never":
        return "a build that meets a new duplicate is repeated; no gate trigger"
    return "a build that meets a new duplicate is repeated; after three, a gate trigger keeps new ones out meanwhile"


def _assignments(of: Vaccination) -> str:
    parts = (sql.SQL("{} = {}").format(sql.Identifier(name), _value(value)) for name, value in of.assign)
    return sql.SQL(", ").join(parts).as_string()


def _value(of: Scalar | Expression) -> sql.Composable:
    return sql.SQL(of.sql) if isinstance(of, Expression) else sql.Literal(of)


def _live(of: Vaccination) -> str:
    nulls = " AND ".join(f"{sql.Identifier(name).as_string()} IS NOT NULL" for name in of.columns)
    return of.where if of.where and nulls in of.where else f"({of.where}) AND {nulls}" if of.where else nulls


def _table(of: Vaccination) -> sql.Identifier:
    return sql.Identifier(of.schema, of.table)


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
