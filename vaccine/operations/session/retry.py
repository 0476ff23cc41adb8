"""A lock is asked for with a timeout, several times: whoever queues behind us waits for one short try at most."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from psycopg import errors, sql
from psycopg.pq import TransactionStatus

from ..errors import LockTimeoutError
from ..options import Options
from .blockers import to_see
from .transaction import leave_failed

Result = TypeVar("Result")

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0


def with_lock_retries(
    connection: psycopg.Connection,
    options: Options,
    action: Callable[[], Result],
    what: str,
    *,
    blame: Callable[[], str] | None = None,
) -> Result:
    """The result of `action`, run under `lock_timeout`, and again after a jittered pause when a lock was not to be had.

    `connection` is the autocommit connection on which `action` works; an `action` of several statements opens
    its own transaction, so that a try that failed has changed nothing. Every try has the timeout, the last one too.
    A deadlock (40P01) counts as a try: PostgreSQL has rolled it back. lock_timeout is 0 again afterwards.
    `what` ends the sentence "could not get the lock to …"; `blame` is asked once all tries failed: who holds the lock.

    Raises:
        LockTimeoutError: no try of `options.lock_tries` got its locks.
    """
    tries = max(1, options.lock_tries)
    timeout_ms = max(1, options.lock_timeout_ms)  # 0 would wait without an end
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(timeout_ms)))
    try:
        for number in range(1, tries + 1):
            try:
                return action()
            except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
                leave_failed(connection)
                last = error
            if number < tries:
                time.sleep(pause(number))
    finally:
        if not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE:
            connection.execute("SET lock_timeout = 0")
    why = (blame() if blame else "") or str(last).strip()
    raise LockTimeoutError(
        f"could not get the lock to {what}: {tries} tries of {timeout_ms} ms each",
        why=why,
        fix="end the session that holds the lock or wait for it, then run the same command again; "
        "-x vaccine.lock_timeout_ms and -x vaccine.lock_tries allow longer and more tries" + to_see(why),
    ) from last


def pause(number: int) -> float:
    """Seconds to rest after try `number`: doubles from 50 ms up to 2 s, of which a random half is left out."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(number - 1, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  it spreads load, it guards nothing
