"""A bar on a terminal, lines elsewhere; who is in the way is said once."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from vaccine.operations.index.progress import BuildProgress, Reading, left
from vaccine.operations.session.blockers import Blocker

WRITER = Blocker(
    7, "billing", "bob", "idle in transaction", "INSERT 1", 12.0, "writer", None, datetime(2026, 4, 9, tzinfo=UTC)
)
WAITING = Reading("waiting for old snapshots", 0, waiting=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_whole_grows_with_each_phase() -> None:
    phases = ["building index: scanning table", "index validation: scanning index", "index validation: scanning table"]
    shown = [Reading(phase, share, waiting=False).percent for phase in phases for share in (0, 0.5, 1)]
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (0, 100)
    assert Reading("a phase of a later version", 0.5, waiting=False).percent == 0


def test_the_time_left_is_told_once_it_is_known() -> None:
    half = Reading("building index: scanning table", 1, waiting=False)
    assert left(half, 7.0) == ", about 13 s left"
    assert left(Reading("initializing", 0, waiting=False), 7.0) == ""
    assert left(WAITING, 7.0) == ""


def test_off_a_terminal_there_are_lines_and_a_blocker_is_named_once() -> None:
    said: list[str] = []
    stream = io.StringIO()
    progress = BuildProgress("build uq", said.append, stream)
    for _ in range(3):
        progress.show(WAITING, [WRITER], 1)
    progress.close()
    assert len(said) == 1
    assert "writer pid 7 (application billing, user bob, idle in transaction, open for 12 s): INSERT 1" in said[0]
    assert stream.getvalue() == ""


def test_on_a_terminal_there_is_a_bar_that_goes_away() -> None:
    said: list[str] = []
    stream = Terminal()
    progress = BuildProgress("build uq", said.append, stream)
    progress.show(Reading("building index: scanning table", 1, waiting=False), [], 7)
    assert "█" in stream.getvalue()
    assert "35%" in stream.getvalue()
    progress.close()
    assert stream.getvalue().endswith("\r\x1b[K")
    assert said == []
