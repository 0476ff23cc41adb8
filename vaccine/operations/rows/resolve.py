"""Retire the excess rows in small transactions: lock, check, old image, resolve, new image, commit.

A batch locks its rows in primary-key order and skips those that another session holds, so that it never
waits with locks in hand. FOR NO KEY UPDATE lets child rows in meanwhile (manual, section 13.3.2); where an
assigned column is in a unique index the UPDATE needs FOR UPDATE, so that is asked for (`shape`). First go
the rows that are still as they were found, each batch in one statement (`resolve_batch`); then those that had
changed or were held are looked at again under the lock (`recheck`), and those that are held still come
one by one, under `lock_timeout`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import psycopg
from psycopg import errors, sql

from ..errors import DriftedError
from ..key import Key, Policy, prepared_name, raw
from ..session.blockers import holders_of, named
from ..session.retry import Result, pause, with_lock_retries
from ..session.run import Run
from ..session.transaction import last_row, message
from ..table import TargetTable, equal
from .find import WORK, Work, find, other_rows
from .journal import Images, already_resolved, ensure_images, ensure_journal
from .pace import Pace, RowProgress, Throttle
from .recheck import Recheck, numbers, undone
from .record import record_of
from .resolve_batch import BatchStatement, shared_columns
from .shape import UpdateEffects, Watch, deferred_triggers, read_shape, row_lock

LEFT = sql.Identifier("pg_temp", "vaccine_left")
VANISHED_EVERY_S = 1.0  # between two looks at which of the rows that are left are gone
ROUNDS = 5  # passes over the table; what still arrives then is left to the index's own retries


@dataclass
class Resolved:
    """What a dedupe did: counts, and the slowest batch in milliseconds."""

    rows: int = 0
    groups: int = 0
    batches: int = 0
    slowest_ms: float = 0.0


def resolve(
    run: Run, key: Key, policy: Policy, table: TargetTable, work: Work | None = None, *, index: str | None = None
) -> Resolved:
    """Retire the excess rows present now: those of `work`, which preflight has found, then any that changed meanwhile.

    The upgrade is recorded first, with the index that it is for, also where no row is to be resolved.

    Raises:
        DriftedError: together with the rows resolved before there are more than `max_rows`.
        LockTimeoutError: a row stayed locked by another session through all tries.
        VerifyError: a trigger or rule undoes the resolve.
    """
    done = Resolved()
    ensure_journal(run.worker)
    run.worker.execute(record_of(run, key, policy.plan).begin(index, policy.assign))
    for _ in range(ROUNDS):
        work = work or find(run.worker, table, key, policy)
        if work.rows == 0:
            break
        check_rows(run, work)
        resolved = Resolver(run, work, ensure_images(run.worker, table), done).run_all()
        done.rows += resolved
        done.groups += work.groups
        if resolved == work.rows:
            break
        work = None
    return done


def check_rows(run: Run, work: Work) -> None:
    """Refuse when other rows would be resolved than the plan approved, all steps of the revision together.

    Raises:
        DriftedError: other rows or more, and `-x vaccine.drift=accept` was not given.
    """
    reasons = [] if run.options.drift == "accept" else not_approved(run, work)
    if reasons:
        raise DriftedError(
            f"{work.key} has other duplicates than the plan approved; nothing more was changed",
            why="; ".join(reasons),
            fix="run `vaccine plan` again and look at the new duplicates; "
            "or accept them as they are with `alembic -x vaccine.drift=accept upgrade …`",
        )


def not_approved(run: Run, work: Work) -> list[str]:
    """How the excess rows are not those of the plan, or fewer of them: other rows by name, else their number."""
    others = other_rows(run.worker, work)
    if others.rows:
        return [str(others)]
    before = already_resolved(run.worker, work.key, work.policy.plan)
    if before + work.rows <= work.policy.max_rows:
        return []
    sofar = f", {before} were resolved before" if before else ""
    return [f"{work.rows} rows in {work.groups} groups would be resolved{sofar}; max_rows is {work.policy.max_rows}"]


@dataclass
class Resolver:
    """One pass over the work table."""

    run: Run
    work: Work
    images: Images
    done: Resolved
    watch: Watch = field(init=False)
    shape: UpdateEffects | None = None
    one: sql.Identifier | None = None
    again: sql.Identifier | None = None

    def __post_init__(self) -> None:
        """The watch is on the connection that works."""
        self.watch = Watch(self.run.worker, batch_settings(self.run))

    def run_all(self) -> int:
        """Batch after batch, then the rows that changed or that others held. Returns how many rows were resolved."""
        worker, throttle = self.run.worker, Throttle(self.run)
        worker.execute(sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS vaccine_left (n integer PRIMARY KEY)"))
        worker.execute(sql.SQL("TRUNCATE {}").format(LEFT))
        pace, progress = Pace(self.run.options.batch_ms), self._progress("resolving rows of", self.work.rows)
        resolved = position = 0
        while position < self.work.rows:
            last = min(position + pace.rows, self.work.rows)
            held: list[float] = []
            resolved += self._with_retries(partial(self.batch, position, last, held))
            pace.learn(last - position, held[-1])
            position = last
            progress.show(position)
            throttle.rest()
        self.done.slowest_ms = max(self.done.slowest_ms, pace.slowest_ms)
        resolved += self._left(throttle, Pace(self.run.options.batch_ms), skip=True)
        return resolved + self._left(throttle, None, skip=False)

    def statements(self, rows: int) -> tuple[tuple[str, sql.Composable], ...]:
        """The statements of one batch in their order, for a dry run: what each is for, and its SQL."""
        one = self._statement(read_shape(self.run.worker, self.work.table))
        whole = one.statement(sql.Literal(0), sql.Literal(rows))
        what = "lock the rows that are as found, write their old images, resolve them, write the journal"
        if one.late:
            return (what, whole), ("write the new images", one.reread(sql.Literal(1)))
        return ((what, whole),)

    def batch(self, after: int, last: int, held: list[float]) -> int:
        """Resolve the work rows `after` < n <= `last` that are as they were found; `held` gets the ms of its locks.

        Raises:
            OperationError: the table was altered since the run began.
            VerifyError: a trigger or rule undoes the resolve.
        """
        with self.watch.transaction(self.work.table) as shape:
            if shape != self.shape:
                self._prepare(shape)
            started = time.monotonic()
            locked, places = self._execute(after, last) if self.one else (0, [])
            if locked < last - after:
                self._leave(after, last, places)
        self.shape = shape  # now it stands: a try that got no lock may have prepared nothing
        held.append((time.monotonic() - started) * 1000)
        self.done.batches += bool(locked)
        return locked

    def _prepare(self, shape: UpdateEffects) -> None:
        """Prepare the statement of a batch of a table of this shape; none where rules would rewrite it."""
        self.shape = self.one = self.again = None
        if shape.rules:  # a rule may not apply to an UPDATE in WITH (0A000): `recheck` has one that stands alone
            return
        worker, statement = self.run.worker, self._statement(shape)
        first, second = raw("$1"), raw("$2")
        one, again = prepared_name("vaccine_batch"), prepared_name("vaccine_reread")
        worker.execute(sql.SQL("PREPARE {} (integer, integer) AS ").format(one) + statement.statement(first, second))
        if statement.late:
            worker.execute(sql.SQL("PREPARE {} (bigint) AS ").format(again) + statement.reread(first))
            self.again = again
        self.one = one

    def _statement(self, shape: UpdateEffects) -> BatchStatement:
        worker, work = self.run.worker, self.work
        lock = row_lock(worker, work.table, tuple(work.policy.assign))
        parts = work, self.images, record_of(self.run, work.key, work.policy.plan), lock
        if shared := shared_columns(work.table, work.policy.assign, shape):
            return BatchStatement(*parts, shared)
        late = shape.late or shape.cascades or shape.rules or (shape.fires and deferred_triggers(worker))
        return BatchStatement(*parts, late=late, fires=shape.fires)

    def _execute(self, after: int, last: int) -> tuple[int, list[int]]:
        """Run the prepared statement: how many rows it resolved, and where it left some, those that it resolved."""
        assert self.one is not None
        arguments = sql.Literal(after), sql.Literal(last)
        row = self.run.worker.execute(sql.SQL("EXECUTE {} ({}, {})").format(self.one, *arguments)).fetchone()
        assert row is not None
        number, locked, changed, found, live, places = row
        if self.again and locked:
            found, live = self._reread(self.again, number)
        if locked and (changed, found, live) != (locked, locked, 0):
            raise undone(self.work, locked, changed, found, live)
        return int(locked), places or []

    def _reread(self, again: sql.Identifier, number: int) -> tuple[int, int]:
        worker, reread = self.run.worker, sql.SQL("EXECUTE {} ({})").format(again, sql.Literal(number))
        row = last_row(worker, message(worker, sql.SQL("SET CONSTRAINTS ALL IMMEDIATE"), reread))
        assert row is not None
        return row[0], row[1]

    def _leave(self, after: int, last: int, done: list[int]) -> None:
        self.run.worker.execute(
            sql.SQL(
                "INSERT INTO {left} SELECT n FROM pg_catalog.generate_series({first}, {last}) AS g (n)"
                " WHERE n <> ALL ({done})"
            ).format(left=LEFT, first=sql.Literal(after + 1), last=sql.Literal(last), done=numbers(done))
        )

    def _left(self, throttle: Throttle, pace: Pace | None, *, skip: bool) -> int:
        """The rows that are left, in batches; without a pace one by one. Returns how many were resolved."""
        resolved, number, came, looked = 0, 0, 0, time.monotonic()
        following = sql.SQL("SELECT n FROM {} WHERE n > {} ORDER BY n LIMIT {}")
        progress = self._progress("resolving rows that others changed or held, of", self._vanished())
        while True:
            limit = sql.Literal(pace.rows if pace else 1)
            rows = self.run.worker.execute(following.format(LEFT, sql.Literal(number), limit)).fetchall()
            if not rows:
                return resolved
            chosen = [row[0] for row in rows]
            held: list[float] = []
            resolved += self._with_retries(partial(self._again, chosen, held, skip=skip))
            if pace:
                pace.learn(len(chosen), held[-1])
                self.done.slowest_ms = max(self.done.slowest_ms, pace.slowest_ms)
            number, came = chosen[-1], came + len(chosen)
            progress.show(came)
            if time.monotonic() - looked > VANISHED_EVERY_S:
                progress.rows, looked = came + self._vanished(number), time.monotonic()
            throttle.rest()

    def _vanished(self, number: int = 0) -> int:
        """Leave the rows that are gone, all at once. Returns how many of those behind `number` are left."""
        table, excess = self.work.table, self.work.excess
        self.run.worker.execute(
            sql.SQL(
                "DELETE FROM {left} AS l USING {work} AS w WHERE w.{n} = l.n"
                " AND NOT EXISTS (SELECT FROM {source} AS t WHERE {same})"
            ).format(
                left=LEFT,
                work=WORK,
                n=sql.Identifier(self.work.number),
                source=table.source,
                same=equal("t", table.primary_key, "w", excess),
            )
        )
        row = self.run.worker.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE n > {}").format(LEFT, sql.Literal(number))
        ).fetchone()
        return int(row[0]) if row else 0

    def _progress(self, doing: str, rows: int) -> RowProgress:
        return RowProgress(self.run.say, f"{doing} {self.work.table.schema}.{self.work.table.name}", rows)

    def _again(self, chosen: list[int], held: list[float], *, skip: bool) -> int:
        """One batch of rows that are left, looked at under the lock; those that others hold stay left with `skip`."""
        worker = self.run.worker
        with self.watch.transaction(self.work.table):
            started = time.monotonic()
            resolved, locked = Recheck(self.run, self.work, self.images).resolve(chosen, skip=skip)
            seen = numbers(locked if skip else chosen)
            worker.execute(sql.SQL("DELETE FROM {} WHERE n = ANY ({})").format(LEFT, seen))
        held.append((time.monotonic() - started) * 1000)
        self.done.batches += bool(resolved)
        return resolved

    def _with_retries(self, action: Callable[[], int]) -> int:
        table = self.work.table
        what = f"resolve rows of {table.schema}.{table.name}; the batches done so far are committed and journalled"
        return with_row_retries(self.run, self.work.key, action, what)


def batch_settings(run: Run) -> sql.Composed:
    """The settings of one batch's transaction.

    Rows are looked up by primary key, always: a small temporary table's statistics must not turn that into a scan.
    Locks are not held while the disk is waited for: a batch that a crash of the server takes back is gone whole,
    images and journal with it, and a rerun does it again; Alembic's own commit comes after, and is durable with all
    that came before it (manual, section 28.4).
    """
    timeout = sql.Literal(f"{max(1, run.options.lock_timeout_ms)}ms")
    return sql.SQL(
        "SELECT pg_catalog.set_config(name, setting, true) FROM (VALUES ('lock_timeout', {}),"
        " ('synchronous_commit', 'off'), ('enable_seqscan', 'off'),"
        " ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off'),"
        " ('plan_cache_mode', 'force_generic_plan')) AS s (name, setting)"
    ).format(timeout)


def with_row_retries(run: Run, key: Key, action: Callable[[], Result], what: str) -> Result:
    """The result of a batch; when a lock was not to be had, of its next bounded tries.

    Raises:
        LockTimeoutError: no try got its locks.
    """
    try:
        return action()
    except (errors.LockNotAvailable, errors.DeadlockDetected):
        time.sleep(pause(1))
    return with_lock_retries(run.worker, run.options, action, what, blame=partial(_holders, run.worker, key))


def _holders(connection: psycopg.Connection, key: Key) -> str:
    found = [blocker for blocker in holders_of(connection, key) if blocker.kind != "reader"]
    return f"the table is held by {named(found)}" if found else ""
