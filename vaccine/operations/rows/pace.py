"""How many rows a batch takes, and when to rest: locks are held shortly, replicas keep up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from ..errors import BlockedError
from ..session.blockers import duration
from ..session.run import Run

FIRST_ROWS = 8  # a trigger may take 10 ms a row: the first batch must not hold its locks for a second
MOST_ROWS = 5000
WELL_UNDER = 4  # a batch that held its locks for less than this part of the aim may grow to twice its rows
SLOW_ROW = 4  # times what a batch aims at: a single row that takes longer stays alone
LAG_EVERY_S = 1.0
SAY_EVERY_S = 5.0


LAG = """
SELECT coalesce(nullif(application_name, ''), '?') || ' at ' || coalesce(pg_catalog.host(client_addr), 'local socket'),
       extract(epoch FROM replay_lag)::float8
  FROM pg_catalog.pg_stat_replication
 WHERE state = 'streaming' AND replay_lag IS NOT NULL
 ORDER BY replay_lag DESC
 LIMIT 1
"""

HIDDEN = "SELECT count(*) FROM pg_catalog.pg_stat_replication WHERE state IS NULL"


@dataclass
class Pace:
    """The size of the next batch, learned from how long the last ones held their locks. Times in milliseconds.

    `floor_ms` is what a batch of a single row takes: a slow disk, a busy machine. Fewer rows cannot make a batch
    shorter than that, so it may always take twice as long: else sizes would fall to one row and stay there.
    """

    aim_ms: float
    rows: int = FIRST_ROWS
    slowest_ms: float = 0.0
    floor_ms: float = 0.0

    def learn(self, rows: int, held_ms: float) -> None:
        """After a batch of `rows` that held its locks for `held_ms`: shrink at once, grow slowly, double far below."""
        self.slowest_ms = max(self.slowest_ms, held_ms)
        if rows < self.rows and held_ms <= self.aim_ms:
            return  # the last, short batch says nothing
        if rows == 1 and held_ms > SLOW_ROW * self.aim_ms:
            self.floor_ms, self.rows = 0.0, 1  # the row itself is that slow: two would take twice as long
            return
        if rows == 1:
            self.floor_ms = (self.floor_ms + held_ms) / 2 if self.floor_ms else held_ms
        else:
            self.floor_ms -= max(self.floor_ms - held_ms, self.floor_ms / 10) / 10
        longest = max(self.aim_ms, 2 * self.floor_ms)
        fitting = rows * (longest - self.floor_ms) / max(held_ms - self.floor_ms, 0.1)
        growth = 2.0 if held_ms < self.aim_ms / WELL_UNDER else 1.5
        self.rows = int(max(1, min(fitting, self.rows * growth + 1, MOST_ROWS)))


@dataclass
class RowProgress:
    """Says every few seconds how far the rows have come; nothing where it is over before. `rows` are all there are."""

    say: Callable[[str], None]
    what: str
    rows: int
    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    def show(self, done: int) -> None:
        """Called after each batch; `done` rows were come to."""
        now = time.monotonic()
        if now - self.said < SAY_EVERY_S:
            return
        self.said = now
        share = done / self.rows if self.rows else 1
        left = f", about {duration((now - self.began) * (1 - share) / share)} left" if 0.01 < share < 1 else ""
        self.say(f"{self.what}: {done} of {self.rows}, {share:.0%}, {duration(now - self.began)} so far{left}")


@dataclass
class Throttle:
    """Rests between batches, and waits while a streaming replica replays too late."""

    run: Run
    looked_at: float = 0.0

    def rest(self) -> None:
        """Called after each batch.

        Raises:
            BlockedError: a replica stayed behind for longer than the run may wait.
        """
        if self.run.options.pause_ms:
            time.sleep(self.run.options.pause_ms / 1000)
        if self.run.options.max_lag_s and time.monotonic() - self.looked_at >= LAG_EVERY_S:
            self._wait_for_replicas()
            self.looked_at = time.monotonic()

    def _wait_for_replicas(self) -> None:
        began = time.monotonic()
        told = False
        while (late := slowest_replica(self.run.worker)) and late[1] > self.run.options.max_lag_s:
            name, lag = late
            if not told:
                self.run.say(f"resting: replica {name} replays {lag:.0f} s late (-x vaccine.max_lag_s)")
                told = True
            if time.monotonic() - began > max(1, self.run.options.wait_s):
                raise BlockedError(
                    f"replica {name} stayed {lag:.0f} s behind; the batches done so far are committed and journalled",
                    why=f"the run rests while a replica is more than {self.run.options.max_lag_s} s late, "
                    f"for {self.run.options.wait_s} s at most",
                    fix="see to the replica, then run the same command again; or allow more with "
                    "-x vaccine.max_lag_s=… (0 for one that is late on purpose, by recovery_min_apply_delay)",
                )
            time.sleep(0.5)


def slowest_replica(connection: psycopg.Connection) -> tuple[str, float] | None:
    """The streaming replica that replays latest, and how late in seconds; None when none is late or none is shown.

    The lag grows while a replica replays nothing at all, and is empty once it has caught up and nothing is written
    (manual, section 27.2.4).
    """
    row = connection.execute(LAG).fetchone()
    return (row[0], row[1]) if row else None


def hidden_replicas(connection: psycopg.Connection) -> int:
    """How many replicas there are of which this role is shown nothing: pg_monitor shows them."""
    row = connection.execute(HIDDEN).fetchone()
    assert row is not None
    return int(row[0])


def tell_of_hidden_replicas(run: Run) -> None:
    """Say that the run does not rest for replicas of which this role is shown nothing."""
    if run.options.max_lag_s and (hidden := hidden_replicas(run.worker)):
        those = "1 replica streams, and this role is not shown how late it is"
        if hidden > 1:
            those = f"{hidden} replicas stream, and this role is not shown how late they are"
        run.say(f"note: {those}, so the run does not rest for them: GRANT pg_monitor to it")
