"""Several tables at once, each worker on a connection of its own, and how far the work is."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

import psycopg

from vaccine.audit.measure import Measured, Scene
from vaccine.catalog.reader import Reader
from vaccine.errors import ConnectionFailedError

BASE = 65_536  # bytes that any table counts for, so that empty ones are some work too


@dataclass(frozen=True, slots=True)
class AuditProgress:
    """How far the reading of rows is. `left_s` is reckoned from the bytes read so far; None until known."""

    done: int
    total: int
    bytes_done: int
    bytes_total: int
    started: float
    table: str = ""

    @classmethod
    def start(cls, scenes: Sequence[Scene]) -> AuditProgress:
        """Nothing done yet."""
        return cls(0, len(scenes), 0, sum(scene.table.bytes + BASE for scene in scenes), time.monotonic())

    def after(self, scene: Scene) -> AuditProgress:
        """One scene more."""
        return replace(
            self,
            done=self.done + 1,
            bytes_done=self.bytes_done + scene.table.bytes + BASE,
            table=f"{scene.table.schema}.{scene.table.name}",
        )

    @property
    def left_s(self) -> float | None:
        """Seconds left, at the rate so far."""
        if not self.bytes_done:
            return None
        return (time.monotonic() - self.started) * (self.bytes_total - self.bytes_done) / self.bytes_done


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all scenes gave, in their order; the statements that further connections ran; what was not as asked."""

    results: list[list[Measured]]
    statements: int = 0
    unknowns: tuple[str, ...] = ()


def in_turn(
    measure: Callable[[Reader, Scene], list[Measured]],
    reader: Reader,
    scenes: Sequence[Scene],
    progress: Callable[[AuditProgress], None] | None,
) -> Gathered:
    """Measure all scenes, one after another."""
    tracker = AuditProgress.start(scenes)
    results = []
    for scene in scenes:
        results.append(measure(reader, scene))
        tracker = tracker.after(scene)
        if progress:
            progress(tracker)
    return Gathered(results)


def in_parallel(
    measure: Callable[[Reader, Scene], list[Measured]],
    reader: Reader,
    scenes: Sequence[Scene],
    jobs: int,
    *,
    connect: Callable[[], psycopg.Connection],
    progress: Callable[[AuditProgress], None] | None,
) -> Gathered:
    """Measure all scenes with `jobs` connections, `reader`'s among them; with fewer where no more may be opened."""
    free: queue.SimpleQueue[Reader] = queue.SimpleQueue()
    free.put(reader)
    tracker = AuditProgress.start(scenes)
    with ExitStack() as stack:
        others, unknowns = _open(stack, min(jobs, len(scenes)) - 1, connect)
        for other in others:
            other.path = reader.path
            free.put(other)

        def one(scene: Scene) -> list[Measured]:
            chosen = free.get()
            try:
                return measure(chosen, scene)
            finally:
                free.put(chosen)

        results: list[list[Measured]] = [[] for _ in scenes]
        with ThreadPoolExecutor(max_workers=len(others) + 1) as pool, _stopped_at_once(pool, [reader, *others]):
            pending = {pool.submit(one, scene): number for number, scene in enumerate(scenes)}
            for future in as_completed(pending):
                results[pending[future]] = future.result()
                tracker = tracker.after(scenes[pending[future]])
                if progress:
                    progress(tracker)
    return Gathered(results, sum(other.statements for other in others), unknowns)


@contextmanager
def _stopped_at_once(pool: ThreadPoolExecutor, readers: Sequence[Reader]) -> Iterator[None]:
    """On Ctrl-C or an error: nothing further begins, and the queries that run are cancelled."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for reader in readers:
            with suppress(psycopg.Error):
                reader.connection.cancel_safe(timeout=5)
        raise


def _open(
    stack: ExitStack, wanted: int, connect: Callable[[], psycopg.Connection]
) -> tuple[list[Reader], tuple[str, ...]]:
    """Up to `wanted` further connections, and why there are fewer."""
    found: list[Reader] = []
    for _ in range(wanted):
        try:
            found.append(Reader(stack.enter_context(connect())))
        except (ConnectionFailedError, psycopg.OperationalError) as error:
            why = error.why if isinstance(error, ConnectionFailedError) else str(error).strip()
            return found, (f"--jobs: only {len(found) + 1} connections could be opened ({why})",)
    return found, ()
