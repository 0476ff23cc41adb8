"""SIGTERM, SIGHUP and a freeze at any statement, gate up and down: words, nothing INVALID, no gate; a rerun ends well.

By default a part of the points is tried, one signal at each; VACCINE_FAULTS=all tries every one with both
signals, and freezes at more than the stride's.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from contextlib import suppress

import psycopg
import pytest

from tests.faults.proxy import Sent
from tests.faults.runner import Runner
from tests.faults.story import Story
from tests.faults.test_blockers import wait_until
from tests.faults.test_killed_everywhere import ALL, DOWN, UP, disturb, points, undisturbed
from tests.faults.test_killed_with_the_gate import GATED, OF_THE_GATE
from tests.runs import gate_objects

MOST_S = 5.0
MARGIN_S = 1.0
FROZEN_S = 3.5 if ALL else 0.1  # longer than the server lets a transaction idle
CLEAN = "SELECT NOT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)"


class Signalled:
    """Sends a signal at a statement, and sees how that run ended."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number
        self.sent_at = 0.0
        self.status = 0

    def __call__(self, _: Sent, pid: int) -> None:
        self.sent_at = time.monotonic()
        with suppress(ProcessLookupError):
            os.kill(pid, self.number)
        if self.number == signal.SIGSTOP:
            threading.Timer(FROZEN_S, self._thaw, (pid,)).start()

    def _thaw(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def look(self, status: int, output: str, url: str) -> None:
        took = time.monotonic() - self.sent_at
        told = f"{self.number.name}, status {status} after {took:.1f} s:\n{output}"
        assert "Traceback" not in output, told
        if self.number == signal.SIGSTOP:
            assert status == 0 or "lost its session" in output or "connection was lost" in output, told
        else:
            assert took < MOST_S + MARGIN_S, told
            assert status in {0, -self.number} or (status == 255 and f"{self.number.name} told it" in output), told
        self.status = status
        wait_until(url, CLEAN, 5)  # the server ends a DROP INDEX by itself
        with psycopg.connect(url, autocommit=True) as connection:
            assert gate_objects(connection) == [], told


@pytest.mark.parametrize("command", [UP, GATED, DOWN], ids=["upgrade", "with the gate", "downgrade"])
def test_run_again_after_a_signal(story: Story, alembic: Runner, command: tuple[str, ...]) -> None:
    wanted, sent = undisturbed(story, alembic, command)
    numbers = [signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP]
    if ALL:
        tried = [(at, number) for at in points(sent, 1) for number in numbers[:2]]
        tried += [(at, signal.SIGSTOP) for at in points(sent, 11)]
    else:
        gate = [each.number for each in sent if OF_THE_GATE.match(each.text)]
        chosen = gate if command == GATED else points(sent, len(sent))[1::2]
        tried = list(zip(chosen, itertools.cycle(numbers), strict=False))
    wrong, words = [], 0
    for at, number in tried:
        signalled = Signalled(number)
        then = [UP if command == GATED else command]
        _, state = disturb(story, alembic, command, at, signalled, then=then, look=signalled.look)
        words += signalled.status == 255
        if state != wanted:
            wrong.append((at, number, sent[at - 1].text, [name for name in state if state[name] != wanted[name]]))
    print(f"{' '.join(command)}: {len(tried)} signals, {words} ended in words")
    assert wrong == []
    assert words
