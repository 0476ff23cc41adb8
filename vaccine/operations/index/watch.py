"""One CONCURRENTLY statement, alone on its connection, watched from another within budgets of time.

The statement has lock_timeout 0: a timeout would also fire while it waits for other sessions, and leave an
INVALID index (manual, CREATE INDEX, "Building Indexes Concurrently"). So the watcher counts the waits, names
who is in the way, and cancels. It reads in autocommit: a snapshot that it held would block the very build.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import errors, pq, sql

from ..session.blockers import Blocker, duration, named, who_blocks
from ..session.run import Run
from .progress import BuildProgress, Reading

POLL_S = 0.2
CANCEL_S = 30.0

_PROGRESS = """
SELECT coalesce(p.phase, CASE WHEN a.wait_event_type = 'Lock' THEN 'waiting for a lock' ELSE 'at work' END),
       coalesce(CASE WHEN p.tuples_total > 0 AND p.phase LIKE '%%tuples%%'
                     THEN p.tuples_done::float8 / p.tuples_total
                     WHEN p.blocks_total > 0 THEN p.blocks_done::float8 / p.blocks_total END, 0),
       coalesce(a.wait_event_type = 'Lock', false) OR coalesce(p.phase LIKE 'waiting%%', false)
  FROM pg_catalog.pg_stat_activity AS a
  LEFT JOIN pg_catalog.pg_stat_progress_create_index AS p USING (pid)
 WHERE a.pid = %s
"""


@dataclass
class Budget:
    """What is left to spend, in seconds: on waits for other sessions, and on work (`build_s` 0 is no limit)."""

    wait_s: float
    build_s: float = 0
    waited: float = 0
    worked: float = 0

    def spend(self, seconds: float, *, waiting: bool) -> None:
        """Count the time since the last look."""
        if waiting:
            self.waited += seconds
        else:
            self.worked += seconds

    @property
    def over(self) -> str:
        """Which part is used up, as the option that bounds it; or the empty string."""
        if self.waited >= self.wait_s:
            return "vaccine.wait_s"
        return "vaccine.build_s" if self.build_s and self.worked >= self.build_s else ""


class OverBudgetError(Exception):
    """A budget ran out. `blockers` were in the way then; `left_running` is the backend that still finishes the work."""

    def __init__(self, over: str, blockers: Sequence[Blocker], left_running: int | None = None) -> None:
        super().__init__(over)
        self.over = over
        self.blockers = tuple(blockers)
        self.left_running = left_running

    @property
    def why(self) -> str:
        """For the message."""
        return f"held up by {named(self.blockers)}" if self.blockers else f"its own work took longer than {self.over}"


def wait_for_present(run: Run, what: str, budget: Budget, present: Callable[[], Sequence[Blocker]]) -> None:
    """Wait until everyone whom `present` names now has ended; who comes later is not waited for.

    The statement itself would wait for the very same, but with an index half made. A clean-up behind a signal does not
    wait here: what it drops, the server drops by itself, once they have left.

    Raises:
        OverBudgetError: somebody is still there when the budget for waits is used up.
    """
    first = () if run.stop.cause else present()
    waiting = {each.identity for each in first}
    progress = BuildProgress(what, run.say)
    still, last, pause = list(first), time.monotonic(), 0.005
    try:
        while still:
            if budget.over:
                raise OverBudgetError(budget.over, still)
            if time.monotonic() - progress.began > POLL_S:  # the ends of short transactions are no news
                progress.show(Reading("waiting before it begins", 0, waiting=True), still, 0)
            time.sleep(pause)
            pause = min(pause * 2, POLL_S)
            still = [each for each in present() if each.identity in waiting]
            now = time.monotonic()
            budget.spend(now - last, waiting=True)
            last = now
    finally:
        progress.close()


def run_alone(run: Run, statement: sql.Composed, what: str, budget: Budget, *, finish: bool = False) -> None:
    """Run one statement on a new connection, watched from the run's worker.

    With `finish`, a statement whose time is up is not cancelled: the server finishes it without us. That is
    for DROP INDEX CONCURRENTLY, which cancelled leaves an INVALID index and finished leaves nothing.

    Raises:
        OverBudgetError: a budget ran out; the statement was cancelled, or left to the server.
        psycopg.Error: as the server said it.
    """
    with run.connect() as builder:
        if finish and builder.info.server_version >= 140000:
            builder.execute("SET client_connection_check_interval = 0")
        progress = BuildProgress(what, run.say)
        try:
            builder.pgconn.send_query(statement.as_bytes(builder))
            _watch(run, builder, progress, budget)
        except OverBudgetError as over:
            if finish:
                raise OverBudgetError(over.over, over.blockers, _leave(builder)) from None
            if _cancel(run, builder):
                raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                run.stop.begin("Ctrl-C")
            if finish:
                run.stop.left += f"; the server (pid {_leave(builder)}) goes on with: {what}"
            else:
                _cancel(run, builder)
            raise
        finally:
            progress.close()
        _outcome(builder)


def _leave(builder: psycopg.Connection) -> int:
    """Go away from a statement that the server finishes without us; its backend."""
    pid = builder.info.backend_pid
    builder.pgconn.finish()
    return pid


def _watch(run: Run, builder: psycopg.Connection, progress: BuildProgress, budget: Budget) -> None:
    """Return when the statement has ended, well or not."""
    pid = builder.info.backend_pid
    last = time.monotonic()
    while not _ended(builder, POLL_S):
        row = run.worker.execute(_PROGRESS, (pid,)).fetchone()
        reading = Reading(*row) if row else Reading("ending", 0, waiting=False)
        now = time.monotonic()
        budget.spend(now - last, waiting=reading.waiting)
        last = now
        blockers = who_blocks(run.worker, pid) if reading.waiting else ()
        progress.show(reading, blockers, budget.worked)
        if budget.over:
            raise OverBudgetError(budget.over, blockers)
    budget.spend(time.monotonic() - last, waiting=False)


def _ended(builder: psycopg.Connection, timeout: float) -> bool:
    """Whether the statement's answer is there, within `timeout` seconds."""
    connection = builder.pgconn
    poll = select.poll()
    poll.register(connection.socket, select.POLLIN)
    while connection.flush():
        select.select([], [connection.socket], [], timeout)
    if connection.is_busy() and poll.poll(timeout * 1000):
        connection.consume_input()
    return not connection.is_busy()


def _outcome(builder: psycopg.Connection) -> None:
    """Take the answer; an error of the server is raised as psycopg would."""
    failed = None
    while (result := builder.pgconn.get_result()) is not None:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            failed = errors.error_from_result(result, encoding=builder.info.encoding)
    if failed is not None:
        raise failed


def _cancel(run: Run, builder: psycopg.Connection) -> bool:
    """Cancel the statement and wait until it is gone; False when it had ended well already."""
    patience = run.stop.seconds(CANCEL_S)
    builder.cancel_safe(timeout=patience)
    until = time.monotonic() + patience
    try:
        while not _ended(builder, POLL_S):
            if time.monotonic() > until:
                run.say(f"the cancelled build did not end within {duration(patience)}: ending its session")
                run.worker.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (builder.info.backend_pid,))
                until = time.monotonic() + patience
        _outcome(builder)
    except psycopg.Error:
        return True
    return False
