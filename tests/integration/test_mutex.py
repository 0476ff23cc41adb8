"""One run at a time on a table; the other one waits, names the holder, and gives up in time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest

from tests.alembic_env import make_environment, write_revision
from tests.faults.test_blockers import SLOW, make_slow, wait_until
from tests.integration.test_restore import KEY as ISSUES
from tests.integration.test_restore import POLICY
from tests.runs import KEY, indexes, make_table, running
from vaccine.operations.errors import BuildError, BusyError
from vaccine.operations.index.build import build_unique_index
from vaccine.operations.key import Key
from vaccine.operations.session.mutex import lock_numbers, one_run

ELSEWHERE = Key(KEY.schema, "another", KEY.columns, None)


@pytest.mark.every_version
def test_a_second_run_on_the_table_is_refused_and_names_the_first(
    database: str, connection: psycopg.Connection
) -> None:
    make_table(connection, ["a"])
    with running(database, wait_s=1) as (first, _), running(database, wait_s=1) as (second, said):
        with one_run(first, KEY):
            with pytest.raises(BusyError, match="application vaccine"), one_run(second, KEY):
                pytest.fail("two runs at once")
            with one_run(second, ELSEWHERE):
                pass
        with one_run(second, KEY):
            pass
    assert any("waiting for another run" in line for line in said)
    assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


def test_the_lock_is_free_once_its_session_is_gone(database: str, connection: psycopg.Connection) -> None:
    with running(database, wait_s=5) as (first, _), one_run(first, KEY):
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with running(database, wait_s=5) as (second, _), one_run(second, KEY):
            pass


def test_who_waits_for_the_lock_does_not_block_the_holders_build(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a"])
    with (
        running(database, wait_s=20) as (first, _),
        running(database, wait_s=20) as (second, _),
        one_run(first, KEY),
        ThreadPoolExecutor(1) as pool,
    ):

        def wait_for_it() -> str:
            with one_run(second, KEY):
                return "had it"

        waiter = pool.submit(wait_for_it)
        assert build_unique_index(first, "uq", KEY, resolve=lambda: 0).builds == 1
        [(pid,)] = connection.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'").fetchall()
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        assert waiter.result(timeout=20) == "had it"


END_IT = """
CREATE FUNCTION end_the_holder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM issues WHERE status = 'resolved') > 300 THEN  -- the trial of preflight resolves fewer
        PERFORM pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER end_it AFTER UPDATE ON issues FOR EACH STATEMENT EXECUTE FUNCTION end_the_holder();
"""


def test_a_run_whose_lock_is_lost_in_the_midst_of_batches_stops(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(
        "CREATE TABLE issues (id int PRIMARY KEY, hash text, status text NOT NULL, last_seen_at timestamptz);"
        "INSERT INTO issues SELECT n, 'k' || n % 10, 'open' FROM generate_series(1, 1000) AS n"
    )
    connection.execute(END_IT)
    environment = make_environment(tmp_path, database)
    write_revision(environment, ISSUES, {**POLICY, "max_rows": 990}, index="u")
    done = environment.alembic("upgrade", "head", check=False)
    message = done.stdout + done.stderr
    assert done.returncode != 0
    assert "lost its session, and its lock on the table with it: it has stopped" in message
    resolved = connection.execute("SELECT count(*) FROM issues WHERE status = 'resolved'").fetchone()
    assert resolved is not None
    assert 0 < resolved[0] < 990
    assert f"{resolved[0]} rows stay resolved and journalled" in message
    connection.execute("DROP TRIGGER end_it ON issues")
    environment.alembic("upgrade", "head")
    assert connection.execute("SELECT count(*) FROM issues WHERE status = 'open'").fetchone() == (10,)


@pytest.mark.every_version
@pytest.mark.parametrize("another", [False, True], ids=["alone", "another run begins"])
def test_a_run_whose_lock_is_lost_during_the_build_stops_and_cleans_up_only_alone(
    database: str, connection: psycopg.Connection, another: bool
) -> None:
    make_slow(connection)
    with running(database) as (run, _), running(database, wait_s=30) as (second, _), ThreadPoolExecutor(1) as pool:
        held, go_on = Event(), Event()

        def take_over() -> None:
            with one_run(second, SLOW):
                held.set()
                go_on.wait(30)

        def lose_it() -> None:
            wait_until(database, "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE 'bui%')")
            if another:
                waiting = pool.submit(take_over)
            connection.execute("SELECT pg_terminate_backend(%s)", (run.worker.info.backend_pid,))
            if another:
                held.wait(30)
                lost_to.append(waiting)

        lost_to: list[object] = []
        ending = Thread(target=lose_it)
        with one_run(run, SLOW):
            ending.start()
            with pytest.raises(BuildError, match="was not built") as stopped:
                build_unique_index(run, "uq", SLOW, resolve=lambda: 0)
        ending.join()
        go_on.set()
    assert "ended the run's session" in stopped.value.fix
    assert ("another run has begun since" in str(stopped.value)) is another
    assert ("uq" in indexes(connection)) is another
    with running(database) as (run, _), one_run(run, SLOW):
        build_unique_index(run, "uq", SLOW, resolve=lambda: 0)
    assert indexes(connection) == {"uq": True}


def test_the_tables_name_makes_the_number_and_nothing_else() -> None:
    assert lock_numbers(KEY) == lock_numbers(Key(KEY.schema, KEY.table, ("x",), None))
    assert lock_numbers(Key("a.b", "c", ("x",), None)) != lock_numbers(Key("a", "b.c", ("x",), None))
    assert all(-(2**31) <= number < 2**31 for number in lock_numbers(KEY))
