"""The size of a batch follows how long the last one held its locks."""

from vaccine.operations.pace import MOST_ROWS, Pace


def test_grows_slowly_when_batches_are_quick() -> None:
    pace = Pace(aim_ms=25, rows=100)
    pace.learn(100, 5)
    assert pace.rows == 151


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
