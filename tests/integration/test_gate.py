"""The gate refuses a new live duplicate whatever way it comes, lets all else pass, and leaves nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from tests.runs import INDEX, KEY, gate_objects, indexes, insert, make_table, resolve_by_hand, running
from vaccine.operations.errors import LockTimeoutError
from vaccine.operations.index.build import build_unique_index, drop_unique_index
from vaccine.operations.index.gate import put_up, take_down
from vaccine.operations.index.watch import Budget
from vaccine.operations.key import Key

ONE, TWO, STATUS = map(sql.Identifier, (*KEY.columns, "stat'us"))


def put(text: str) -> sql.Composed:
    return sql.SQL(text).format(t=KEY.relation, one=ONE, two=TWO, status=STATUS)


@pytest.fixture
def gated(database: str, connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    make_table(connection, ["a", "b", None, None])
    connection.execute(put("INSERT INTO {t} ({one}, {status}) VALUES ('a', 'closed')"))
    with running(database) as (run, _):
        put_up(run, INDEX, KEY, Budget(10))
        yield connection
        assert take_down(run, KEY, Budget(10)) is True
        assert take_down(run, KEY, Budget(10)) is False
    assert gate_objects(connection) == []
    insert(connection, "a")  # all passes again


def copy_in(connection: psycopg.Connection) -> None:
    with connection.cursor().copy(put("COPY {t} ({one}) FROM STDIN")) as copy:
        copy.write("c\na\n")


@pytest.mark.every_version
def test_every_way_to_a_duplicate_is_closed(gated: psycopg.Connection) -> None:
    ways: list[Callable[[], object]] = [
        lambda: insert(gated, "a"),
        lambda: gated.execute(put("INSERT INTO {t} ({one}) VALUES ('x'), ('y'), ('x')")),
        lambda: copy_in(gated),
        lambda: gated.execute(put("UPDATE {t} SET {status} = 'op''en' WHERE {status} = 'closed'")),
        lambda: gated.execute(put("UPDATE {t} SET {one} = 'a' WHERE {one} = 'b'")),
        lambda: gated.execute(put("INSERT INTO {t} ({one}) VALUES ('a') ON CONFLICT DO NOTHING")),
    ]
    for way in ways:
        with pytest.raises(psycopg.errors.UniqueViolation) as refused:
            way()
        assert refused.value.diag.constraint_name == INDEX
        assert refused.value.diag.table_name == KEY.table
    rows = gated.execute(put("SELECT {one} FROM {t} WHERE {status} = 'op''en' ORDER BY 1")).fetchall()
    assert rows == [("a",), ("b",), (None,), (None,)]


def test_what_is_no_duplicate_passes(gated: psycopg.Connection) -> None:
    insert(gated, "new")
    insert(gated, None)
    gated.execute(put("INSERT INTO {t} ({one}, {two}) VALUES ('a', 2)"))
    gated.execute(put("INSERT INTO {t} ({one}, {status}) VALUES ('a', 'closed')"))
    gated.execute(put("UPDATE {t} SET {status} = 'closed' WHERE {one} = 'b'"))
    gated.execute(put("INSERT INTO {t} ({one}) VALUES ('b')"))
    gated.execute(put("UPDATE {t} SET {two} = 9 WHERE {one} = 'a' AND {status} = 'closed'"))


def test_a_role_that_may_only_insert_passes_and_is_stopped(server: object, gated: psycopg.Connection) -> None:
    gated.execute("CREATE ROLE inserter")
    try:
        gated.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO inserter").format(sql.Identifier(KEY.schema)))
        gated.execute(put("GRANT INSERT ON {t} TO inserter"))
        gated.execute("SET ROLE inserter")
        insert(gated, "fresh")
        with pytest.raises(psycopg.errors.UniqueViolation):
            insert(gated, "fresh")
    finally:
        gated.execute("RESET ROLE")
        gated.execute("DROP OWNED BY inserter")
        gated.execute("DROP ROLE inserter")


def test_two_writers_of_one_new_key_wait_for_each_other(database: str, gated: psycopg.Connection) -> None:
    outcome: list[str | None] = []
    with psycopg.connect(database) as first:
        insert(first, "hot")

        def second() -> None:
            with psycopg.connect(database, autocommit=True) as other:
                try:
                    insert(other, "hot")
                except psycopg.Error as error:
                    outcome.append(error.sqlstate)

        thread = threading.Thread(target=second)
        thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT%'"
        while gated.execute(waiting).fetchone() == (0,):
            pass
        first.commit()
        thread.join()
    assert outcome == ["23505"]


def test_a_repeatable_read_writer_cannot_slip_through(database: str, gated: psycopg.Connection) -> None:
    with psycopg.connect(database) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT 1")
        insert(gated, "hot")
        with pytest.raises(psycopg.errors.SerializationFailure):
            insert(old, "hot")


@pytest.mark.every_version
def test_equality_is_the_indexs_own(database: str, connection: psycopg.Connection) -> None:
    """1.0 and 1.00, and letters that a collation takes as one, are one key; a generated column and an enum serve."""
    icu = True
    try:
        connection.execute("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except psycopg.errors.FeatureNotSupported:  # a build without ICU
        icu = False
        connection.execute("CREATE COLLATION ci (locale = 'C')")
    connection.execute("CREATE TYPE state AS ENUM ('open', 'closed')")
    connection.execute(
        "CREATE TABLE t (id int PRIMARY KEY, n numeric, word text COLLATE ci, s state DEFAULT 'open', "
        "twice numeric GENERATED ALWAYS AS (n * 2) STORED)"
    )
    key = Key("public", "t", ("twice", "word"), "s = 'open'")
    connection.execute("INSERT INTO t VALUES (1, 1.0, 'Abc')")
    with running(database) as (run, _):
        put_up(run, "uq_t", key, Budget(10))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO t VALUES (2, 1.00, {})".format("'aBC'" if icu else "'Abc'"))
        connection.execute("INSERT INTO t VALUES (2, 1.00, 'abd')")
        take_down(run, key, Budget(10))
    assert gate_objects(connection) == []


@pytest.mark.every_version
def test_a_gate_of_a_killed_run_is_taken_down_by_the_next(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a"])
    for again in (
        lambda run: build_unique_index(run, INDEX, KEY, resolve=lambda: resolve_by_hand(database)),
        lambda run: drop_unique_index(run, INDEX, KEY),
    ):
        with running(database) as (run, _):
            put_up(run, INDEX, KEY, Budget(10))
        assert len(gate_objects(connection)) >= 5
        with running(database) as (run, _):
            again(run)
        assert gate_objects(connection) == []
    assert indexes(connection) == {}


def test_an_index_that_serves_is_used_and_no_helper_made(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a"])
    connection.execute(put("CREATE INDEX lookup ON {t} ({two}, {one})"))
    with running(database) as (run, _):
        put_up(run, INDEX, KEY, Budget(10))
        assert [name for name in gate_objects(connection) if name.endswith("_key")] == []
        take_down(run, KEY, Budget(10))
    assert indexes(connection) == {"lookup": True}


def test_always_puts_the_gate_up_at_once_and_needs_one_build(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a", "a", "b", "b", "b"])
    with running(database, gate="always") as (run, _):
        done = build_unique_index(run, INDEX, KEY, resolve=lambda: resolve_by_hand(database))
    assert (done.builds, done.resolved, done.gated) == (1, 3, True)
    assert indexes(connection) == {INDEX: True}
    assert gate_objects(connection) == []


def test_behind_a_long_writer_the_gate_gives_up_and_names_it(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a"])
    connection.execute(put("CREATE INDEX lookup ON {t} ({one}, {two})"))
    with psycopg.connect(database, application_name="billing") as writer:
        insert(writer, "z")
        with running(database, lock_timeout_ms=20, lock_tries=2) as (run, _):
            with pytest.raises(LockTimeoutError, match="billing"):
                put_up(run, INDEX, KEY, Budget(10))
            assert run.worker.execute("SHOW lock_timeout").fetchone() == ("0",)
    assert gate_objects(connection) == []
