"""SIGINT, SIGTERM and SIGHUP end a run alike: the statement under way is cancelled, what it left is cleaned up, in 5 s.

A signal becomes an exception of the main thread, once: what comes while the clean-up goes on is not heard. Handlers
stand only while an operation runs, only where the signal had its default one (`nohup` ignores SIGHUP, asyncio and the
application may have their own), and only in the main thread: elsewhere Python lets nobody install any.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

CLEAN_UP_S = 3.0  # for what waits for others; an attempt that goes on by then is left to the server, or to the rerun
OVERDUE_S = 4.0  # then whatever still waits is broken off: a network that stalls answers no clean-up
AGAIN_S = 0.3  # and so is each wait that comes behind it

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
Handler = Callable[[int, FrameType | None], object]


class StopSignal(KeyboardInterrupt):
    """A signal told the run to stop. For a KeyboardInterrupt psycopg cancels the statement that it waits for."""


@dataclass
class Stop:
    """Whether a run was told to stop, and what its clean-up could not do, in words that go on a sentence."""

    cause: str = ""
    until: float = 0
    left: str = ""

    def begin(self, cause: str) -> None:
        """The clean-up begins now, whatever stopped the run; the first one counts."""
        if not self.cause:
            self.cause, self.until = cause, time.monotonic() + CLEAN_UP_S

    def seconds(self, otherwise: float) -> float:
        """How long the next wait of a clean-up may take; `otherwise` where nobody told the run to stop."""
        return min(otherwise, max(self.until - time.monotonic(), 0.2)) if self.cause else otherwise


@contextmanager
def stoppable(stop: Stop) -> Iterator[None]:
    """The first signal begins `stop` and raises StopSignal in the block; previous handlers are back behind it."""
    before: dict[int, object] = {}
    clock = Clock()

    def heard(number: int, _: FrameType | None) -> None:
        if before and not stop.cause:
            stop.begin(signal.Signals(number).name)
            clock.start()
            raise StopSignal(stop.cause)

    try:
        if threading.current_thread() is threading.main_thread():
            clock.take()
            _take(before, heard)
        yield
    finally:
        _undisturbed(clock.give_back)
        _undisturbed(lambda: _give_back(before))


def _take(before: dict[int, object], heard: Handler) -> None:
    defaults = {signal.SIG_DFL, signal.default_int_handler}
    for name in _SIGNALS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) in defaults:
            before[number] = signal.getsignal(number)
            signal.signal(number, heard)


def _give_back(before: dict[int, object]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)  # type: ignore[arg-type]


def _undisturbed(action: Callable[[], None]) -> None:
    """Do it, and again when a signal came between."""
    while True:
        try:
            return action()
        except StopSignal:
            continue


@dataclass
class Clock:
    """Breaks a clean-up off that takes too long: by SIGALRM, where nobody else uses that."""

    taken: bool = False

    def take(self) -> None:
        """Keep SIGALRM for this run."""
        if hasattr(signal, "SIGALRM") and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL:
            self.taken = signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
            if self.taken:
                signal.signal(signal.SIGALRM, self._ring)

    def start(self) -> None:
        """The clean-up begins now. One that is broken off and waits again is broken off again."""
        if self.taken:
            signal.setitimer(signal.ITIMER_REAL, OVERDUE_S, AGAIN_S)

    def give_back(self) -> None:
        """Stop it."""
        if self.taken:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _ring(self, _: int, __: FrameType | None) -> None:
        if self.taken:
            raise StopSignal("its clean-up took too long")
