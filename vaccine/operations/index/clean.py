"""What must not stay: an INVALID index, the copies of a REINDEX that ended early, a gate of a build that stopped."""

from __future__ import annotations

import time
from dataclasses import replace

import psycopg
from psycopg import sql

from ..errors import LockTimeoutError, OperationError
from ..key import Key
from ..session.blockers import duration, holders_of
from ..session.mutex import lost, retake
from ..session.run import Run
from ..session.stop import OVERDUE_S
from ..session.transaction import settle
from .gate import is_there, take_down
from .states import index_state, leftovers
from .watch import Budget, OverBudgetError, run_alone, wait_for_present

POLL_S = 0.1
CLEAN_UP_S = 20.0


def drop(run: Run, name: str, key: Key, budget: Budget) -> None:
    """DROP INDEX CONCURRENTLY, which waits for all that hold any lock on the table: for those of now beforehand."""
    wait_for_present(run, f"drop {name}", budget, lambda: holders_of(run.worker, key))
    statement = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(key.schema, name))
    run_alone(run, statement, f"drop {name}", budget, finish=True)


def drop_leftovers(run: Run, name: str, key: Key, budget: Budget) -> None:
    """Drop the INVALID copies of the index that a REINDEX CONCURRENTLY left."""
    for leftover in leftovers(run.worker, name, key):
        run.say(f"{leftover} is a leftover of an earlier repair: dropping it")
        drop(run, leftover, key, budget)


def cleaned(run: Run, name: str, key: Key) -> str:
    """Leave nothing INVALID and no gate behind, on a connection of its own; what could not be done, in words.

    A signal that comes meanwhile shortens it. Behind a signal it does what can be done in a few seconds.
    """
    try:
        return _once(run, name, key)
    except KeyboardInterrupt:
        if run.stop.cause and time.monotonic() > run.stop.until:
            return f"; what it left could not be cleaned up in {duration(OVERDUE_S)}: the same command, run again, does"
        run.stop.begin("Ctrl-C")
        run.stop.left += _once(run, name, key)
        raise


def _once(run: Run, name: str, key: Key) -> str:
    settle(run.worker, run.stop.seconds(CLEAN_UP_S))
    options = replace(run.options, lock_tries=4, lock_timeout_ms=200) if run.stop.cause else run.options
    try:
        with run.connect() as fresh:
            if lost(run) and not _retaken(fresh, key):
                return "; another run has begun since, which sees to what this one left"
            return _clean(replace(run, worker=fresh, options=options), name, key)
    except (psycopg.Error, OperationError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        return f"; what it left could not be cleaned up ({first}): the same command, run again, does"


def _retaken(fresh: psycopg.Connection, key: Key) -> bool:
    """The lock of our own session, which is gone, or goes in a moment."""
    until = time.monotonic() + 1
    while not (retaken := retake(fresh, key)) and time.monotonic() < until:
        time.sleep(POLL_S)
    return retaken


def _clean(run: Run, name: str, key: Key) -> str:
    """The gate first, for it refuses writes; then what is INVALID, whatever became of the gate."""
    told = ""
    try:
        if is_there(run.worker, key):
            take_down(run, key, Budget(_patience(run)))
    except OverBudgetError as over:
        told += _pending(over, "the gate's lookup index")
    except LockTimeoutError as error:
        told += f"; the gate lets all pass, what is left of it ({error.why}) the same command, run again, drops"
    try:
        budget, ours = Budget(_patience(run)), Budget(2)
        drop_leftovers(run, name, key, budget)
        while (state := index_state(run.worker, name, key)).kind == "building" and ours.over == "":
            time.sleep(POLL_S)  # a build of ours that was cancelled ends in a moment
            ours.spend(POLL_S, waiting=True)
        if state.kind in {"invalid_ready", "invalid_not_ready"}:
            statement = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(key.schema, name))
            run_alone(run, statement, f"drop the unfinished {name}", budget, finish=True)
    except OverBudgetError as over:
        told += _pending(over, "the unfinished index")
    return told


def _patience(run: Run) -> float:
    return run.stop.seconds(min(CLEAN_UP_S, max(run.options.wait_s, 1)))


def _pending(over: OverBudgetError, what: str) -> str:
    if over.left_running is None:
        return f"; {what} is left, {over.why}: the same command, run again, drops it"
    return (
        f"; the server is dropping {what} (pid {over.left_running}) and ends that by itself once "
        f"nobody who was on the table before is left, {over.why}"
    )
