"""Others in the way: the run waits within its budget, names them, and on giving up leaves nothing INVALID behind."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.alembic_env import make_environment, write_revision
from tests.conftest import known_servers
from tests.runs import INDEX, KEY, gate_objects, indexes, insert, make_table, running, snapshot
from vaccine.demo.server import FAST, serve
from vaccine.operations.errors import BlockedError
from vaccine.operations.index.build import build_unique_index, drop_unique_index
from vaccine.operations.key import Key
from vaccine.operations.session.run import Run


def build(run: Run, key: Key = KEY) -> None:
    build_unique_index(run, INDEX, key, resolve=lambda: 0)


@contextmanager
def idle_writer(url: str) -> Iterator[str]:
    with psycopg.connect(url, application_name="billing") as writer:
        insert(writer, "from billing")
        yield "application billing"


@contextmanager
def old_snapshot(url: str) -> Iterator[str]:
    with snapshot(url):
        yield "snapshot pid"


@contextmanager
def prepared(url: str) -> Iterator[str]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("BEGIN")
        insert(connection, "two phase")
        connection.execute("PREPARE TRANSACTION 'left over'")
        try:
            yield "prepared transaction 'left over'"
        finally:
            connection.execute("ROLLBACK PREPARED 'left over'")


@contextmanager
def another_build(url: str) -> Iterator[str]:
    """A build on the same table, which itself waits for a snapshot."""
    with psycopg.connect(url, autocommit=True, application_name="dba") as other, snapshot(url):
        statement = sql.SQL('CREATE INDEX CONCURRENTLY theirs ON {} ("Mixed Case")').format(KEY.relation)
        other.pgconn.send_query(statement.as_bytes(other))
        wait_until(url, "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE '%snapshots')")
        yield "application dba"
        other.cancel_safe()
        while other.pgconn.get_result() is not None:
            pass
        other.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(KEY.schema, "theirs")))


def wait_until(url: str, question: str, seconds: float = 60) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        until = time.monotonic() + seconds
        while connection.execute(question).fetchone() != (True,):
            assert time.monotonic() < until, question
            time.sleep(0.02)


@pytest.mark.every_version
@pytest.mark.parametrize("blocker", [idle_writer, old_snapshot, prepared, another_build])
def test_gives_up_names_who_it_was_and_leaves_nothing(
    database: str, connection: psycopg.Connection, blocker: Callable[[str], Iterator[str]]
) -> None:
    make_table(connection, ["a", "b"])
    with blocker(database) as name:  # type: ignore[attr-defined]
        with running(database, wait_s=1) as (run, said), pytest.raises(BlockedError) as given_up:
            build(run)
        assert name in given_up.value.why
        assert "vaccine.wait_s" in given_up.value.fix
        assert any(name in line for line in said)
        assert INDEX not in indexes(connection)
    with running(database) as (run, _):
        build(run)
    assert indexes(connection) == {INDEX: True}


@pytest.mark.parametrize("blocker", [idle_writer, old_snapshot, prepared, another_build])
def test_waits_within_its_budget(
    database: str, connection: psycopg.Connection, blocker: Callable[[str], Iterator[str]]
) -> None:
    make_table(connection, ["a", "b"])
    met, release = threading.Event(), threading.Event()

    def block() -> None:
        with blocker(database):  # type: ignore[attr-defined]
            met.set()
            release.wait(30)

    thread = threading.Thread(target=block)
    thread.start()
    met.wait(30)
    with running(database, wait_s=60) as (run, said):
        noticed = threading.Thread(target=_release_when_named, args=(said, release))
        noticed.start()
        build(run)
    thread.join()
    noticed.join()
    assert indexes(connection) == {INDEX: True}
    assert any("held up by" in line for line in said)


def _release_when_named(said: list[str], release: threading.Event) -> None:
    """Let the blocker go once the run has named it; at the latest after 20 seconds."""
    until = time.monotonic() + 20
    while time.monotonic() < until and not any("held up by" in line for line in said):
        time.sleep(0.05)
    release.set()


SLOW = Key(KEY.schema, KEY.table, KEY.columns, "public.slow(id) AND \"stat'us\" = 'op''en'")


def make_slow(connection: psycopg.Connection, rows: int = 30) -> None:
    """A build of SLOW takes 50 ms a row and pass."""
    make_table(connection, [f"k{n}" for n in range(rows)])
    connection.execute(
        "CREATE FUNCTION public.slow(bigint) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_sleep(0.05); RETURN true; END'"
    )


def during_the_build(url: str, blocker: Callable[[str], Iterator[str]], release: threading.Event) -> threading.Thread:
    """Let `blocker` come when the build is at work already."""

    def come() -> None:
        wait_until(url, "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE 'building%')")
        with blocker(url):  # type: ignore[attr-defined]
            release.wait(60)

    thread = threading.Thread(target=come)
    thread.start()
    return thread


@pytest.mark.every_version
def test_a_snapshot_that_comes_during_the_build(database: str, connection: psycopg.Connection) -> None:
    make_slow(connection)
    release = threading.Event()
    thread = during_the_build(database, old_snapshot, release)
    with running(database, wait_s=1) as (run, _), pytest.raises(BlockedError, match="was not built"):
        build(run, SLOW)
    assert indexes(connection) == {}  # while the snapshot is still there
    release.set()
    thread.join()


@pytest.mark.every_version
def test_a_writer_that_comes_during_the_build(database: str, connection: psycopg.Connection) -> None:
    """Nobody can drop the index while it holds its lock: the server does, without us, once it has gone."""
    make_slow(connection)
    release = threading.Event()
    thread = during_the_build(database, idle_writer, release)
    with (
        running(database, wait_s=1) as (run, _),
        pytest.raises(BlockedError, match="the server is dropping the unfinished index"),
    ):
        build(run, SLOW)
    release.set()
    thread.join()
    wait_until(database, "SELECT NOT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)")
    assert indexes(connection) == {}


def test_the_builds_own_time_is_bounded_apart(database: str, connection: psycopg.Connection) -> None:
    make_slow(connection)
    with running(database, build_s=1) as (run, _), pytest.raises(BlockedError, match=r"vaccine\.build_s"):
        build(run, SLOW)
    assert indexes(connection) == {}


@pytest.mark.every_version
def test_a_drop_behind_a_reader_changes_nothing_and_names_it(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a"])
    with running(database, wait_s=1) as (run, _):
        build(run)
        with psycopg.connect(database, application_name="report") as reader:
            reader.execute(sql.SQL("SELECT FROM {}").format(KEY.relation))
            with pytest.raises(BlockedError, match="nothing was changed") as given_up:
                drop_unique_index(run, INDEX, KEY)
        assert "application report" in given_up.value.why
        assert indexes(connection) == {INDEX: True}
        assert drop_unique_index(run, INDEX, KEY) is True


def test_ctrl_c_cancels_the_build_and_leaves_nothing(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    make_slow(connection)
    key = {"schema": SLOW.schema, "table": SLOW.table, "columns": list(SLOW.columns), "where": SLOW.where}
    policy = {"survivor": ["id DESC"], "assign": {"stat'us": "resolved"}, "keep": [], "max_rows": 0, "plan": "6f1c2e0a"}
    environment = make_environment(tmp_path, database)
    only_index = f"    op.create_unique_index_concurrently({INDEX!r}, **KEY, **POLICY)"
    write_revision(environment, key, policy, index=INDEX, upgrade=only_index)
    started = environment.start("upgrade", "head")
    wait_until(database, "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE 'building%')")
    started.send_signal(signal.SIGINT)
    output, _ = started.communicate(timeout=60)
    assert started.returncode != 0, output
    assert indexes(connection) == {}
    assert gate_objects(connection) == []
    assert connection.execute("SELECT count(*) FROM vaccine.alembic_version").fetchone() == (0,)


def test_an_autovacuum_gives_way() -> None:
    with (
        serve(known_servers()["18"], {**FAST, "autovacuum_naptime": "1s"}) as server,
        psycopg.connect(server.url, autocommit=True) as connection,
    ):
        make_table(connection, ["a"])
        connection.execute(
            sql.SQL(
                "ALTER TABLE {} SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, "
                "autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)"
            ).format(KEY.relation)
        )
        many = "INSERT INTO {} ({}) SELECT 'k' || n FROM generate_series(1, 20000) AS n"
        connection.execute(sql.SQL(many).format(KEY.relation, sql.Identifier(KEY.columns[0])))
        connection.execute(sql.SQL('UPDATE {} SET "Mixed Case" = 2').format(KEY.relation))
        wait_until(server.url, "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum)")
        with running(server.url, wait_s=30) as (run, _):
            build(run)
        assert indexes(connection) == {INDEX: True}
