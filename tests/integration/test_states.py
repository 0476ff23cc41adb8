"""Who builds what: a build of our index, a repair of it, and one of another index on the same table, told apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from tests.faults.test_blockers import wait_until
from tests.runs import INDEX, KEY, indexes, leave_not_ready, leave_ready, make_table, running, snapshot
from vaccine.operations.index.build import build_unique_index, index_state, index_statement
from vaccine.operations.index.states import leftovers

OURS = sql.Identifier(KEY.schema, INDEX)
THEIRS = sql.Identifier(KEY.schema, "theirs")


@contextmanager
def held_up(url: str, statement: sql.Composed) -> Iterator[int]:
    """A statement in another session, which has made its index and waits for a snapshot; its pid."""
    with psycopg.connect(url, autocommit=True) as other, snapshot(url):
        other.pgconn.send_query(statement.as_bytes(other))
        wait_until(url, "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE '%snapshots')")
        yield other.info.backend_pid
        other.cancel_safe()
        while other.pgconn.get_result() is not None:
            pass


@pytest.mark.every_version
def test_a_repair_of_another_index_is_not_taken_for_ours(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a", "a"])
    leave_not_ready(database)
    connection.execute(sql.SQL('CREATE INDEX theirs ON {} ("Mixed Case")').format(KEY.relation))
    with held_up(database, sql.SQL("REINDEX INDEX CONCURRENTLY {}").format(THEIRS)):
        assert index_state(connection, INDEX, KEY).kind == "invalid_not_ready"


@pytest.mark.every_version
def test_a_repair_of_the_whole_table_leaves_ours_out(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a", "a"])
    leave_not_ready(database)
    with held_up(database, sql.SQL("REINDEX TABLE CONCURRENTLY {}").format(KEY.relation)):
        assert index_state(connection, INDEX, KEY).kind == "invalid_not_ready"


@pytest.mark.every_version
@pytest.mark.parametrize("role", ["postgres", "small"])
def test_a_repair_and_a_build_of_ours_are_seen_by_whom_is_not_shown_what_others_do(
    database: str, connection: psycopg.Connection, role: str
) -> None:
    make_table(connection, ["a", "b"])
    leave_ready(database)
    connection.execute("DROP ROLE IF EXISTS small; CREATE ROLE small LOGIN")
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO small").format(sql.Identifier(KEY.schema)))
    connection.execute(sql.SQL("GRANT SELECT ON {} TO small").format(KEY.relation))
    connection.execute(
        sql.SQL("GRANT TEMPORARY ON DATABASE {} TO small").format(sql.Identifier(connection.info.dbname))
    )
    try:
        with psycopg.connect(database.replace("postgres@", f"{role}@"), autocommit=True) as asking:
            with held_up(database, sql.SQL("REINDEX INDEX CONCURRENTLY {}").format(OURS)) as pid:
                found = index_state(asking, INDEX, KEY)
                assert (found.kind, found.pid) == ("building", pid)
                assert leftovers(asking, INDEX, KEY) == ()
            with running(database) as (run, _):
                build_unique_index(run, INDEX, KEY, resolve=lambda: 0)
            connection.execute(sql.SQL("DROP INDEX {}").format(OURS))
            with held_up(database, index_statement(INDEX, KEY)) as pid:
                found = index_state(asking, INDEX, KEY)
                assert (found.kind, found.pid) == ("building", pid)
    finally:
        connection.execute("DROP OWNED BY small; DROP ROLE small")
    assert indexes(connection) == {INDEX: False}
