"""Retire the excess rows in small transactions: lock, check again, old image, resolve, new image, commit.

A batch locks its rows in primary-key order and skips those that another session holds, so that it never
waits with locks in hand; the skipped ones come one by one afterwards, under `lock_timeout`. FOR NO KEY
UPDATE lets child rows in meanwhile (manual, section 13.3.2). What is locked is then looked at again in a
new snapshot: a row is retired only when it and its survivor are both still live, still share the key,
and the survivor still comes first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import psycopg
from psycopg import errors, sql

from .blockers import holders_of, named
from .errors import DriftedError, VerifyError
from .journal import Batch, Images, already_resolved, ensure_images, ensure_journal, write_batch
from .key import Key, Policy, names, value
from .pace import Pace, Throttle
from .retry import Result, pause, with_lock_retries
from .run import Run
from .table import Table, equal
from .work import WORK, Work, find, live_key, ranking

SKIPPED = sql.Identifier("pg_temp", "vaccine_skipped")
ROUNDS = 5  # passes over the table; what still arrives then is left to the index's own retries


@dataclass
class Resolved:
    """What a dedupe did: counts, and the slowest batch in milliseconds."""

    rows: int = 0
    groups: int = 0
    batches: int = 0
    slowest_ms: float = 0.0


def resolve(run: Run, key: Key, policy: Policy, table: Table, work: Work | None = None) -> Resolved:
    """Retire the excess rows present now: those of `work`, which preflight has found, then any that changed meanwhile.

    Raises:
        DriftedError: together with the rows resolved before there are more than `max_rows`.
        LockTimeoutError: a row stayed locked by another session through all tries.
        VerifyError: a trigger or rule undoes the resolve.
    """
    done = Resolved()
    for _ in range(ROUNDS):
        work = work or find(run.worker, table, key, policy)
        if work.rows == 0:
            break
        check_rows(run, work)
        ensure_journal(run.worker)
        resolved = Resolver(run, work, ensure_images(run.worker, table), done).run_all()
        done.rows += resolved
        done.groups += work.groups
        if resolved == work.rows:
            break
        work = None
    return done


def check_rows(run: Run, work: Work) -> None:
    """Refuse when more rows would be resolved than the plan approved, all steps of the revision together.

    Raises:
        DriftedError: too many, and `-x vaccine.drift=accept` was not given.
    """
    before = already_resolved(run.worker, work.key, work.policy.plan)
    if before + work.rows <= work.policy.max_rows or run.options.drift == "accept":
        return
    sofar = f", {before} were resolved before" if before else ""
    raise DriftedError(
        f"{work.key} has more duplicates than the plan approved; nothing more was changed",
        why=f"{work.rows} rows in {work.groups} groups would be resolved{sofar}; max_rows is {work.policy.max_rows}",
        fix="run `vaccine plan` again and look at the new duplicates; "
        "or accept them as they are with `alembic -x vaccine.drift=accept upgrade …`",
    )


@dataclass
class Resolver:
    """One pass over the work table."""

    run: Run
    work: Work
    images: Images
    done: Resolved

    def run_all(self) -> int:
        """Batch after batch, then the rows that others held. Returns how many rows were resolved."""
        self.run.worker.execute(sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS vaccine_skipped (n integer)"))
        self.run.worker.execute(sql.SQL("TRUNCATE {}").format(SKIPPED))
        pace, throttle = Pace(self.run.options.batch_ms), Throttle(self.run)
        resolved = position = 0
        while position < self.work.rows:
            last = min(position + pace.rows, self.work.rows)
            held: list[float] = []
            resolved += self._with_retries(partial(self._batch, position, last, held, skip=True))
            pace.learn(last - position, held[-1])
            position = last
            throttle.rest()
        self.done.slowest_ms = max(self.done.slowest_ms, pace.slowest_ms)
        return resolved + self._skipped_rows(throttle)

    def statements(self, chosen: list[int]) -> tuple[tuple[str, sql.Composable], ...]:
        """The statements of one batch in their order, for a dry run: what each is for, and its SQL."""
        return (
            ("lock the excess rows", self._lock(0, len(chosen), skip=True)),
            ("see under the lock that they are excess still", self._check(chosen)),
            ("write the old images", self._image(0, chosen, "before")),
            ("resolve", self._update(chosen)),
            ("write the new images", self._image(0, chosen, "after")),
        )

    def _skipped_rows(self, throttle: Throttle) -> int:
        """One transaction for each row that was locked by another session; this waits for it, under lock_timeout."""
        resolved, number = 0, 0
        following = sql.SQL("SELECT min(n) FROM {} WHERE n > {}")
        while True:
            row = self.run.worker.execute(following.format(SKIPPED, sql.Literal(number))).fetchone()
            if row is None or row[0] is None:
                return resolved
            number = row[0]
            resolved += self._with_retries(partial(self._batch, number - 1, number, [], skip=False))
            throttle.rest()

    def _with_retries(self, action: Callable[[], int]) -> int:
        table = self.work.table
        what = f"resolve rows of {table.schema}.{table.name}; the batches done so far are committed and journalled"
        return with_row_retries(self.run, self.work.key, action, what)

    def _batch(self, after: int, last: int, held: list[float], *, skip: bool) -> int:
        """Resolve the work rows `after` < n <= `last` in one transaction; `held` gets the milliseconds of its locks."""
        worker = self.run.worker
        sure: list[int] = []
        with worker.pipeline(), worker.transaction():
            worker.execute(batch_settings(self.run))
            batch = worker.execute("SELECT pg_catalog.nextval('vaccine.journal_batch_seq')")
            started = time.monotonic()
            locked = self._numbers(self._lock(after, last, skip=skip))
            if skip and len(locked) < last - after:
                self._remember_skipped(after, last, locked)
            if locked:
                sure = self._numbers(self._check(locked))
            if sure:
                self._change(batch, sure)
        held.append((time.monotonic() - started) * 1000)
        self.done.batches += bool(sure)
        return len(sure)

    def _numbers(self, query: sql.Composable) -> list[int]:
        row = self.run.worker.execute(
            sql.SQL("SELECT coalesce(pg_catalog.array_agg(x.n ORDER BY x.n), '{{}}') FROM ({}) AS x (n)").format(query)
        ).fetchone()
        assert row is not None
        return list(row[0])

    def _lock(self, after: int, last: int, *, skip: bool) -> sql.Composable:
        return sql.SQL(
            "SELECT w.{n} FROM {work} AS w JOIN {source} AS t ON {same} WHERE w.{n} > {after} AND w.{n} <= {last}"
            " ORDER BY w.{n} FOR NO KEY UPDATE OF t{skip}"
        ).format(
            n=self._n,
            work=WORK,
            source=self.work.table.source,
            same=equal("t", self.work.table.primary_key, "w", self.work.excess),
            after=sql.Literal(after),
            last=sql.Literal(last),
            skip=sql.SQL(" SKIP LOCKED") if skip else sql.SQL(""),
        )

    def _remember_skipped(self, after: int, last: int, locked: list[int]) -> None:
        self.run.worker.execute(
            sql.SQL(
                "INSERT INTO {skipped} SELECT n FROM pg_catalog.generate_series({first}, {last}) AS g (n)"
                " WHERE n <> ALL ({locked})"
            ).format(skipped=SKIPPED, first=sql.Literal(after + 1), last=sql.Literal(last), locked=numbers(locked))
        )

    def _check(self, locked: list[int]) -> sql.Composable:
        """The numbers whose row is excess still: of it and its survivor, both live with one key, it comes second."""
        table, work = self.work.table, self.work
        pair, excess = sql.Identifier(table.free("vaccine_pair")), sql.Identifier(table.free("vaccine_excess"))
        at = tuple(table.free(f"vaccine_k{place}") for place, _ in enumerate(table.primary_key))
        join = sql.SQL(" AND ").join(
            sql.SQL("{}.{} = {}").format(table.relation, sql.Identifier(column), sql.Identifier(alias))
            for column, alias in zip(table.primary_key, at, strict=True)
        )
        side = sql.SQL("SELECT {n}, {flag}, {columns} FROM {work} WHERE {n} = ANY ({locked})")
        fill = {"n": self._n, "work": WORK, "locked": numbers(locked)}
        return sql.SQL(
            "SELECT {pair} FROM (SELECT {pair}, {excess}, row_number() OVER ({ranking}) AS vaccine_place"
            " FROM ({sides}) AS {alias} ({pair}, {excess}, {at}) JOIN {source} ON {join} WHERE {live}) AS pairs"
            " WHERE {excess} AND vaccine_place = 2"
        ).format(
            pair=pair,
            excess=excess,
            ranking=ranking(work, pair),
            sides=sql.SQL(" UNION ALL ").join(
                [
                    side.format(flag=sql.SQL("TRUE"), columns=names(work.excess), **fill),
                    side.format(flag=sql.SQL("FALSE"), columns=names(work.survivor), **fill),
                ]
            ),
            alias=sql.Identifier("vaccine sides"),
            at=names(at),
            source=table.source,
            join=join,
            live=live_key(work.key),
        )

    def _change(self, batch: psycopg.Cursor[tuple[int]], sure: list[int]) -> None:
        """Old images, resolve, new images, the journal's row; all in the batch's transaction."""
        worker = self.run.worker
        row = batch.fetchone()
        assert row is not None
        number = row[0]
        worker.execute(self._image(number, sure, "before"))
        update = worker.execute(self._update(sure))
        worker.execute("SET CONSTRAINTS ALL IMMEDIATE")
        after = worker.execute(
            sql.SQL("WITH after AS ({} RETURNING ({}) IS TRUE AS live) SELECT count(*), count(*) FILTER (WHERE live)"
                    " FROM after").format(self._image(number, sure, "after"), live_key(self.work.key))
        ).fetchone()  # fmt: skip
        assert after is not None
        if update.rowcount != len(sure) or after != (len(sure), 0):
            raise self._undone(len(sure), update.rowcount, *after)
        pairs = sql.SQL("SELECT o.place, {excess}, {survivor} FROM {chosen}").format(
            excess=as_json(self.work.excess), survivor=as_json(self.work.survivor), chosen=self._chosen(sure)
        )
        where = self.run.revision, self.work.key, self.work.policy, self.images
        write_batch(worker, Batch(number, *where, len(sure), pairs))

    def _image(self, number: int, sure: list[int], image: str) -> sql.Composed:
        # The image table goes by the user's table's name here, for a predicate that says `issues.status`.
        return sql.SQL(
            "INSERT INTO {images} AS {alias} ({columns}) SELECT {number}, o.place, {image}, {old} FROM {chosen}"
            " JOIN {source} AS t ON {same}"
        ).format(
            images=self.images.relation,
            alias=sql.Identifier(self.work.table.name),
            columns=self.images.columns,
            number=sql.Literal(number),
            image=sql.Literal(image),
            old=names(self.work.table.names, "t"),
            chosen=self._chosen(sure),
            source=self.work.table.source,
            same=equal("t", self.work.table.primary_key, "w", self.work.excess),
        )

    def _update(self, sure: list[int]) -> sql.Composed:
        assignments = [
            sql.SQL("{} = {}").format(sql.Identifier(column), value(to))
            for column, to in self.work.policy.assign.items()
        ]
        return sql.SQL(
            "UPDATE {source} SET {assignments} WHERE ({primary_key}) IN"
            " (SELECT {excess} FROM {work} AS {alias} WHERE {n} = ANY ({sure}))"
        ).format(
            source=self.work.table.source,
            assignments=sql.SQL(", ").join(assignments),
            primary_key=names(self.work.table.primary_key),
            excess=names(self.work.excess),
            work=WORK,
            alias=sql.Identifier("vaccine work"),
            n=self._n,
            sure=numbers(sure),
        )

    def _chosen(self, sure: list[int]) -> sql.Composable:
        """The chosen work rows as `w`, with their place in the batch as `o.place`."""
        return sql.SQL(
            "pg_catalog.unnest({sure}) WITH ORDINALITY AS o (n, place) JOIN {work} AS w ON w.{n} = o.n"
        ).format(sure=numbers(sure), work=WORK, n=self._n)

    @property
    def _n(self) -> sql.Identifier:
        return sql.Identifier(self.work.number)

    def _undone(self, wanted: int, changed: int, found: int, live: int) -> VerifyError:
        policy = ", ".join(f"{name} = {to!r}" for name, to in self.work.policy.assign.items())
        return VerifyError(
            f"resolving does not retire the rows of {self.work.key}; this batch was rolled back",
            why=f"of {wanted} rows, {changed} were updated with {policy}, {found} are still there, and {live} of these "
            "are still live: a trigger or a rule undoes the update, or the assignment does not end the predicate",
            fix="look at the table's triggers (\\d in psql) and at `assign` and `where` of the revision",
        )


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
        " ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off')) AS s (name, setting)"
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


def numbers(of: list[int]) -> sql.Composable:
    """An integer[] literal."""
    return sql.SQL("{}::integer[]").format(sql.Literal("{" + ",".join(map(str, of)) + "}"))


def as_json(columns: tuple[str, ...]) -> sql.Composable:
    """A primary key of the work table as a JSON list of text."""
    texts = sql.SQL(", ").join(sql.SQL("w.{}::text").format(sql.Identifier(column)) for column in columns)
    return sql.SQL("pg_catalog.jsonb_build_array({})").format(texts)


def _holders(connection: psycopg.Connection, key: Key) -> str:
    found = [blocker for blocker in holders_of(connection, key) if blocker.kind != "reader"]
    return f"the table is held by {named(found)}" if found else ""
