"""Signals that end a run: heard once, and only where nobody else wants them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from vaccine.operations.session.stop import Stop, StopSignal, stoppable

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


@pytest.fixture(autouse=True)
def same_handlers() -> Iterator[None]:
    before = [signal.getsignal(number) for number in ALL]
    yield
    assert [signal.getsignal(number) for number in ALL] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def stopped(stop: Stop, number: int, clean_up: Callable[[], None]) -> None:
    """A run that gets a signal and then cleans up."""
    with stoppable(stop):
        try:
            os.kill(os.getpid(), number)
            time.sleep(1)
        finally:
            clean_up()


@pytest.mark.parametrize("number", ALL[:3], ids=lambda each: each.name)
def test_the_first_signal_is_heard_and_later_ones_are_not(number: signal.Signals) -> None:
    stop, cleaned = Stop(), []

    def clean_up() -> None:
        for again in ALL[:3]:
            os.kill(os.getpid(), again)
        cleaned.append(True)

    with pytest.raises(StopSignal, match=number.name):
        stopped(stop, number, clean_up)
    assert cleaned == [True]
    assert stop.cause == number.name
    assert 0 < stop.seconds(60) <= 3


def test_a_clean_up_that_hangs_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaccine.operations.session.stop.OVERDUE_S", 0.1)
    began = time.monotonic()
    with pytest.raises(StopSignal, match="too long"):
        stopped(Stop(), signal.SIGTERM, lambda: time.sleep(20))
    assert time.monotonic() - began < 10


def test_a_handler_of_the_application_stays() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable(Stop()):
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGHUP, ignored)


def test_another_thread_installs_nothing() -> None:
    seen: list[object] = []

    def run() -> None:
        with stoppable(Stop()):
            seen.append([signal.getsignal(number) for number in ALL])

    before = [signal.getsignal(number) for number in ALL]
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]


def test_without_a_signal_nothing_is_shortened() -> None:
    assert Stop().seconds(60) == 60
