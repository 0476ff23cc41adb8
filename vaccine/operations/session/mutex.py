"""One run at a time on a table: an upgrade and a downgrade, or two upgrades, exclude each other."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from ..errors import BusyError
from ..key import Key
from .blockers import duration
from .retry import pause
from .run import Run

LOST = "see who or what ended the run's session (a DBA, a timeout, the network, the server)"  # what to do then

_HOLDER = """
    SELECT a.pid, a.application_name, a.usename, a.client_addr::text,
           extract(epoch FROM clock_timestamp() - a.backend_start)::float8
    FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
      AND l.classid::int8 = %s & 4294967295 AND l.objid::int8 = %s & 4294967295
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
"""


@contextmanager
def one_run(run: Run, key: Key) -> Iterator[None]:
    """Hold the table's lock for the length of the block; the server frees it when the run dies.

    The worker's own session holds it, so that no statement of a run can follow the loss of its lock: who ends
    that session ends the run. The lock is polled: a blocking pg_advisory_lock() would hold a snapshot, for which
    the other run's index build would wait, while we wait for it.

    Raises:
        BusyError: another run on the table did not end within `options.wait_s` seconds.
    """
    numbers = lock_numbers(key)
    _acquire(run, key, run.worker, numbers)
    try:
        yield
    finally:
        with suppress(psycopg.Error):  # the session ends next, and frees it anyway
            run.worker.execute("SELECT pg_catalog.pg_advisory_unlock(%s::int, %s::int)", numbers)


def lost(run: Run) -> bool:
    """Whether the worker's session is gone, and the table's lock with it."""
    try:
        run.worker.execute("SELECT")
    except psycopg.OperationalError:
        return True
    except psycopg.Error:  # a transaction that failed: the session is there
        return False
    return False


def retake(connection: psycopg.Connection, key: Key) -> bool:
    """Take the lock of a run whose session is gone, to clean up after it; False when another run has it by now."""
    return _try(connection, lock_numbers(key))


def lock_numbers(key: Key) -> tuple[int, int]:
    """The two numbers of the advisory lock: Vaccine's own, and that of the table's name (signed, 32 bits each)."""
    table = f"{len(key.schema)}.{key.schema}.{key.table}"
    return _number(b"vaccine"), _number(table.encode())


def _number(of: bytes) -> int:
    return int.from_bytes(hashlib.sha256(of).digest()[:4], "big", signed=True)


def _acquire(run: Run, key: Key, connection: psycopg.Connection, numbers: tuple[int, int]) -> None:
    until = time.monotonic() + run.options.wait_s
    said = False
    tries = 0
    while not _try(connection, numbers):
        holder = _holder(connection, numbers)
        if not said and holder:
            run.say(f"waiting for another run on {key.schema}.{key.table}: {holder}")
            said = True
        if time.monotonic() >= until:
            raise BusyError(
                f"another run is at work on {key.schema}.{key.table}; this one has changed nothing",
                why=f"{holder or 'its session'} still held the table's lock after {duration(run.options.wait_s)}",
                fix="wait until it has ended, then run the same command again; -x vaccine.wait_s=… waits longer",
            )
        tries += 1
        time.sleep(min(pause(min(tries, 4)), max(until - time.monotonic(), 0.01)))


def _try(connection: psycopg.Connection, numbers: tuple[int, int]) -> bool:
    row = connection.execute("SELECT pg_catalog.pg_try_advisory_lock(%s::int, %s::int)", numbers).fetchone()
    return bool(row and row[0])


def _holder(connection: psycopg.Connection, numbers: tuple[int, int]) -> str:
    row = connection.execute(_HOLDER, numbers).fetchone()
    if row is None:
        return ""
    pid, application, user, address, age = row
    since = f", connected for {duration(age)}" if age is not None else ""
    return f"pid {pid} (application {application or 'unnamed'}, user {user}, from {address or 'a local socket'}{since})"
