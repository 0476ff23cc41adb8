"""A lock is asked for with a timeout in every try; the failed tries change nothing."""

from __future__ import annotations

import threading

import psycopg
import pytest

from vaccine.operations.errors import LockTimeoutError
from vaccine.operations.options import Options
from vaccine.operations.session.retry import LONGEST_PAUSE_S, pause, with_lock_retries


def test_gives_up_with_the_holder_and_changes_nothing(database: str, connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE t (id int)")
    timeouts = []

    def action() -> None:
        with connection.transaction():
            timeouts.append(connection.execute("SHOW lock_timeout").fetchone())
            connection.execute("CREATE TABLE half_done ()")
            connection.execute("LOCK TABLE t")

    with psycopg.connect(database) as holder:
        holder.execute("LOCK TABLE t")
        with pytest.raises(LockTimeoutError, match=r"change t: 3 tries of 20 ms") as refused:
            with_lock_retries(
                connection, Options(lock_timeout_ms=20, lock_tries=3), action, "change t", blame=lambda: "the holder"
            )
    assert refused.value.why == "the holder"
    assert timeouts == [("20ms",)] * 3
    assert connection.execute("SELECT to_regclass('half_done')").fetchone() == (None,)
    assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_goes_on_once_the_lock_is_free(database: str, connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE t (id int)")
    with psycopg.connect(database) as holder:
        holder.execute("LOCK TABLE t")
        threading.Timer(0.3, holder.rollback).start()
        options = Options(lock_timeout_ms=50, lock_tries=100)
        result = with_lock_retries(
            connection, options, lambda: connection.execute("DROP TABLE t").statusmessage, "drop"
        )
    assert result == "DROP TABLE"


def test_another_error_is_not_tried_again(connection: psycopg.Connection) -> None:
    tries = []

    def action() -> None:
        tries.append(1)
        connection.execute("SELECT 1/0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        with_lock_retries(connection, Options(), action, "divide")
    assert tries == [1]
    assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_pauses_grow_to_a_bound_and_are_jittered() -> None:
    assert all(0.025 <= pause(1) <= 0.05 for _ in range(100))
    assert all(LONGEST_PAUSE_S / 2 <= pause(40) <= LONGEST_PAUSE_S for _ in range(100))
    assert len({pause(5) for _ in range(20)}) > 1
