"""Several tables at once, each worker on a connection of its own, and how far the work is."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, replace

import psycopg

from vaccine.measure import Measured, Scene
from vaccine.reader import Reader

BASE = 65_536  # bytes that any table counts for, so that empty ones are some work too


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading of rows is. `left_s` is reckoned from the bytes read so far; None until known."""

    done: int
    total: int
    bytes_done: int
    bytes_total: int
    started: float
    table: str = ""

    @classmethod
    def start(cls, scenes: Sequence[Scene]) -> Progress:
        """Nothing done yet."""
        return cls(0, len(scenes), 0, sum(scene.table.bytes + BASE for scene in scenes), time.monotonic())

    def after(self, scene: Scene) -> Progress:
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


def in_parallel(
    measure: Callable[[Reader, Scene], list[Measured]],
    scenes: Sequence[Scene],
    jobs: int,
    connect: Callable[[], psycopg.Connection],
    progress: Callable[[Progress], None] | None,
) -> tuple[list[list[Measured]], int]:
    """Measure all scenes with `jobs` connections; the results in the scenes' order, and the statements run."""
    free: queue.SimpleQueue[Reader] = queue.SimpleQueue()
    readers = []
    tracker = Progress.start(scenes)
    with ExitStack() as stack:
        for _ in range(min(jobs, len(scenes))):
            readers.append(Reader(stack.enter_context(connect())))
            free.put(readers[-1])

        def one(scene: Scene) -> list[Measured]:
            reader = free.get()
            try:
                return measure(reader, scene)
            finally:
                free.put(reader)

        results: list[list[Measured]] = [[] for _ in scenes]
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            pending = {pool.submit(one, scene): number for number, scene in enumerate(scenes)}
            for future in as_completed(pending):
                results[pending[future]] = future.result()
                tracker = tracker.after(scenes[pending[future]])
                if progress:
                    progress(tracker)
    return results, sum(reader.statements for reader in readers)
