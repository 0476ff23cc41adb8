"""The size of a batch follows how long the last one held its locks."""

from collections.abc import Callable

import pytest

from vaccine.operations.rows.pace import FIRST_ROWS, MOST_ROWS, Pace, RowProgress


def held_by_batches(rows: int, held_ms: Callable[[int], float], first: int = FIRST_ROWS) -> list[float]:
    """How long each batch of a run over `rows` holds its locks."""
    pace, done, held = Pace(aim_ms=25, rows=first), 0, []
    while done < rows:
        batch = min(pace.rows, rows - done)
        held.append(held_ms(batch))
        pace.learn(batch, held[-1])
        done += batch
    return held


def test_grows_slowly_when_batches_are_quick() -> None:
    pace = Pace(aim_ms=25, rows=100)
    pace.learn(100, 10)
    assert pace.rows == 151


def test_doubles_while_batches_are_far_below_what_they_aim_at() -> None:
    pace = Pace(aim_ms=25, rows=100)
    pace.learn(100, 6)
    assert pace.rows == 201


def test_shrinks_at_once_when_locks_were_held_too_long() -> None:
    pace = Pace(aim_ms=25, rows=1000)
    pace.learn(1000, 250)
    assert pace.rows == 100
    assert pace.slowest_ms == 250


def test_takes_one_row_at_least_and_has_an_end() -> None:
    pace = Pace(aim_ms=25, rows=1)
    pace.learn(1, 10_000)
    assert pace.rows == 1
    for _ in range(50):
        pace.learn(pace.rows, 0)
    assert pace.rows == MOST_ROWS


def test_a_last_short_batch_says_nothing() -> None:
    pace = Pace(aim_ms=25, rows=1000)
    pace.learn(3, 1)
    assert pace.rows == 1000


def test_where_every_batch_is_slow_whatever_its_size_batches_stay_large() -> None:
    pace = Pace(aim_ms=25)
    sizes = []
    for _ in range(200):
        sizes.append(pace.rows)
        pace.learn(pace.rows, 40 + pace.rows * 0.05)
    assert sum(sizes) / len(sizes) > 100
    assert pace.slowest_ms <= 2 * 41


def test_a_row_that_takes_long_by_itself_stays_alone() -> None:
    pace = Pace(aim_ms=25)
    for _ in range(20):
        pace.learn(pace.rows, pace.rows * 150)
    assert pace.rows == 1


@pytest.mark.parametrize("row_ms", [0.012, 0.02, 0.05, 0.1])
def test_the_small_first_batch_costs_a_few_batches_and_no_more(row_ms: float) -> None:
    def held(batch: int) -> float:
        return 2 + batch * row_ms

    ours, from_the_middle = held_by_batches(150_000, held), held_by_batches(150_000, held, first=round(10 / row_ms))
    assert len(ours) <= len(from_the_middle) + 12
    assert max(ours) <= 50


@pytest.mark.parametrize("row_ms", [2, 4, 6])
def test_a_slow_trigger_does_not_make_the_first_batches_long(row_ms: float) -> None:
    assert max(held_by_batches(1_000, lambda batch: batch * row_ms)) <= 50


def test_growing_fast_does_not_overshoot() -> None:
    """Where rows get dearer as the run goes on, no batch but the first after the change is longer than it should be."""
    pace = Pace(aim_ms=25)
    while pace.rows < 500:
        pace.learn(pace.rows, pace.rows * 0.01)
    pace.learn(pace.rows, pace.rows * 0.1)
    assert pace.rows * 0.1 <= 25


def test_progress_is_said_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    progress = RowProgress(said.append, "resolving rows of public.t", 400)
    progress.show(100)
    assert said == []
    monkeypatch.setattr("vaccine.operations.rows.pace.SAY_EVERY_S", 0.0)
    progress.began -= 10
    progress.show(100)
    assert said == ["resolving rows of public.t: 100 of 400, 25%, 10 s so far, about 30 s left"]
    progress.show(400)
    assert said[1] == "resolving rows of public.t: 400 of 400, 100%, 10 s so far"
