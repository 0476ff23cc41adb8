"""One run at a time on a table; the other one waits, names the holder, and gives up in time."""

from __future__ import annotations

import psycopg
import pytest

from tests.runs import KEY, make_table, running
from vaccine.operations.errors import BusyError
from vaccine.operations.index import build_unique_index
from vaccine.operations.key import Key
from vaccine.operations.mutex import lock_numbers, one_run

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
    with running(database, wait_s=20) as (first, _), running(database, wait_s=20) as (second, _), one_run(first, KEY):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:

            def wait_for_it() -> str:
                with one_run(second, KEY):
                    return "had it"

            waiter = pool.submit(wait_for_it)
            assert build_unique_index(first, "uq", KEY, resolve=lambda: 0).builds == 1
            [(pid,)] = connection.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'").fetchall()
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
            assert waiter.result(timeout=20) == "had it"


def test_the_tables_name_makes_the_number_and_nothing_else() -> None:
    assert lock_numbers(KEY) == lock_numbers(Key(KEY.schema, KEY.table, ("x",), None))
    assert lock_numbers(Key("a.b", "c", ("x",), None)) != lock_numbers(Key("a", "b.c", ("x",), None))
    assert all(-(2**31) <= number < 2**31 for number in lock_numbers(KEY))
