"""BuildProgress of one statement for the DBA: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from ..session.blockers import Blocker, duration, named

SAY_EVERY_S = 5.0
WIDTH = 24

# The share of a build's time after each phase, roughly: what the bar shows, nothing is decided by it.
# Phases as in the manual, "CREATE INDEX BuildProgress Reporting".
_SHARES = {
    "initializing": (0, 0),
    "waiting for writers before build": (0, 0),
    "building index: scanning table": (0, 35),
    "building index: sorting live tuples": (35, 45),
    "building index: loading tuples in tree": (45, 60),
    "building index": (0, 60),
    "waiting for writers before validation": (60, 60),
    "index validation: scanning index": (60, 70),
    "index validation: sorting tuples": (70, 75),
    "index validation: scanning table": (75, 100),
    "waiting for old snapshots": (100, 100),
    "waiting for readers before marking dead": (100, 100),
    "waiting for readers before dropping": (100, 100),
}


@dataclass(frozen=True)
class Reading:
    """One look at a statement that runs: its phase, the share of the phase that is done (0 to 1), whether it waits."""

    phase: str
    share: float
    waiting: bool

    @property
    def percent(self) -> float:
        """Of the whole, 0 to 100."""
        start, end = _SHARES.get(self.phase, (0, 0))
        return start + (end - start) * min(max(self.share, 0.0), 1.0)


class BuildProgress:
    """Shows readings as they come: `what` is the statement in the DBA's words."""

    def __init__(self, what: str, say: Callable[[str], None], stream: TextIO | None = None) -> None:
        self.what = what
        self.say = say
        self.stream = sys.stderr if stream is None else stream
        self.bar = self.stream.isatty()
        self.began = self.said = time.monotonic()
        self.blamed: frozenset[object] = frozenset()
        self.drawn = False

    def show(self, reading: Reading, blockers: Sequence[Blocker], worked_s: float) -> None:
        """One reading. Who is in the way is said at once, and again only when it is somebody else."""
        now = time.monotonic()
        who = frozenset(each.identity for each in blockers)
        news = bool(who) and who != self.blamed
        if news or now - self.said >= SAY_EVERY_S:
            self.said, self.blamed = now, who or self.blamed
            if news or not self.bar:
                self.close()
                self.say(self.line(reading, blockers, worked_s))
        if self.bar:
            self._draw(reading, worked_s)

    def line(self, reading: Reading, blockers: Sequence[Blocker], worked_s: float) -> str:
        """The reading as one line of a log."""
        elapsed = duration(time.monotonic() - self.began)
        if reading.waiting:
            held = f"; held up by {named(blockers)}" if blockers else ""
            return f"{self.what}: {reading.phase}, {elapsed} so far{held}"
        return f"{self.what}: {reading.phase}, {reading.percent:.0f}%, {elapsed} so far{left(reading, worked_s)}"

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self.drawn:
            self._write("\r\x1b[K")
            self.drawn = False

    def _draw(self, reading: Reading, worked_s: float) -> None:
        full = round(WIDTH * reading.percent / 100)
        bar = "█" * full + "░" * (WIDTH - full)
        self._write(f"\r\x1b[K{self.what} {bar} {reading.percent:3.0f}%  {reading.phase}{left(reading, worked_s)}")
        self.drawn = True

    def _write(self, text: str) -> None:
        with suppress(OSError):  # a terminal that was closed
            self.stream.write(text)
            self.stream.flush()


def left(reading: Reading, worked_s: float) -> str:
    """The time left in words, once enough is done to tell."""
    if reading.waiting or reading.percent < 5:
        return ""
    return f", about {duration(worked_s * (100 - reading.percent) / reading.percent)} left"
