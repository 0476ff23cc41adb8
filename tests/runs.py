"""A run of the operations without Alembic: the same connections, options and messages, for tests of one step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from vaccine.operations.index.states import index_statement
from vaccine.operations.key import Key
from vaccine.operations.options import Options
from vaccine.operations.session.run import Run


@contextmanager
def running(url: str, **options: Any) -> Iterator[tuple[Run, list[str]]]:
    """A run on a database, and the lines that it says."""
    said: list[str] = []

    def connect() -> psycopg.Connection:
        connection = psycopg.connect(url, autocommit=True, prepare_threshold=None, application_name="vaccine")
        if connection.info.server_version >= 140000:
            connection.execute("SET client_connection_check_interval = '1s'")
        return connection

    with connect() as worker:
        yield Run("4b1c", Options(**options), connect, worker, said.append), said


# A table that nobody should have and somebody has: every name of it needs its quotes.
KEY = Key(
    'sch"éma %s', "tä'ble {x}\n", ('sel"ect', "Mixed Case"), '"stat\'us" = \'op\'\'en\' AND "sel""ect" IS NOT NULL'
)
INDEX = 'uq"%s é'


def make_table(connection: psycopg.Connection, keys: Sequence[str | None] = ()) -> None:
    """The table of KEY, with one live row for each of `keys`."""
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(KEY.schema)))
    connection.execute(
        sql.SQL(
            "CREATE TABLE {} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {} text, {} int DEFAULT 1, "
            "{} varchar(20) DEFAULT 'op''en')"
        ).format(KEY.relation, *map(sql.Identifier, (*KEY.columns, "stat'us")))
    )
    for key in keys:
        insert(connection, key)


def insert(connection: psycopg.Connection, key: str | None) -> None:
    """One live row."""
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            KEY.relation, sql.Identifier(KEY.columns[0]), sql.Literal(key)
        )
    )


def resolve_by_hand(url: str) -> int:
    """Resolve all but the newest row of each group; the number of rows."""
    first, second, status = map(sql.Identifier, (*KEY.columns, "stat'us"))
    statement = sql.SQL(
        "UPDATE {t} AS a SET {s} = 'resolved' WHERE {s} = 'op''en' AND EXISTS (SELECT FROM {t} AS b "
        "WHERE b.{one} = a.{one} AND b.{two} = a.{two} AND b.{s} = 'op''en' AND b.id > a.id)"
    ).format(t=KEY.relation, s=status, one=first, two=second)
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).rowcount


def indexes(connection: psycopg.Connection) -> dict[str, bool]:
    """The indexes of the user's tables beside primary keys, and whether each is valid."""
    rows = connection.execute(
        "SELECT i.relname, x.indisvalid FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
        "JOIN pg_namespace n ON n.oid = i.relnamespace WHERE n.nspname <> 'vaccine' AND n.nspname !~ '^pg_' "
        "AND NOT x.indisprimary ORDER BY 1"
    ).fetchall()
    return dict(rows)


def gate_objects(connection: psycopg.Connection) -> list[str]:
    """Whatever of a gate is in the database: triggers, functions, tables, indexes."""
    rows = connection.execute(
        "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'vaccine_gate%' "
        "UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'vaccine_gate%' "
        "UNION ALL SELECT relname FROM pg_class WHERE relname LIKE 'vaccine_gate%'"
    ).fetchall()
    return [row[0] for row in rows]


@contextmanager
def snapshot(url: str) -> Iterator[psycopg.Connection]:
    """An open REPEATABLE READ transaction that has seen no table of ours."""
    with psycopg.connect(url, application_name="report") as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT 1")
        yield connection


def leave_ready(url: str, name: str = INDEX, key: Key = KEY) -> None:
    """Leave an INVALID index that is ready: a build whose last wait ended in a lock timeout."""
    with snapshot(url), psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '150ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute(index_statement(name, key))


def leave_not_ready(url: str, name: str = INDEX, key: Key = KEY) -> None:
    """Leave an INVALID index that is not ready: a build that met duplicates."""
    with psycopg.connect(url, autocommit=True) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(index_statement(name, key))
