"""A replica that falls behind: the run rests, goes on once it has caught up, and gives up in words when it does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import make_environment, write_revision
from tests.conftest import known_servers
from tests.integration.test_restore import KEY, POLICY, TABLE
from tests.runs import running
from tests.standby import standby
from vaccine.demo.server import Server, serve
from vaccine.operations.errors import BlockedError
from vaccine.operations.key import Key, Policy
from vaccine.operations.rows import pace
from vaccine.operations.rows.pace import hidden_replicas, slowest_replica
from vaccine.operations.rows.resolve import resolve
from vaccine.operations.table import read_table

pytestmark = pytest.mark.xdist_group("replicas")  # one pair of servers for all
ISSUES = Key("public", "issues", ("hash",), "status = 'open' AND hash IS NOT NULL")
OLDER = Policy(("id DESC",), {"status": "resolved"}, (), 100_000, "6f1c2e0a")
RESOLVED = (
    "SELECT (SELECT count(*) FROM issues WHERE status = 'resolved'), (SELECT sum(row_count) FROM vaccine.journal)"
)


@dataclass(frozen=True)
class Pair:
    """A server and its standby, each with an autocommit connection."""

    primary: Server
    replica: Server
    writing: psycopg.Connection
    reading: psycopg.Connection

    def catch_up(self) -> None:
        """Let the standby replay, and wait until it has."""
        self.reading.execute("SELECT pg_wal_replay_resume()")
        (written,) = self.writing.execute("SELECT pg_current_wal_lsn()").fetchone() or (None,)
        until = time.monotonic() + 30
        while self.reading.execute("SELECT pg_last_wal_replay_lsn() >= %s", (written,)).fetchone() != (True,):
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A pair of our own, of the oldest version that `--pg` names, of 18 without it."""
    version = (request.config.getoption("--pg") or "18").split(",")[0]
    with (
        serve(known_servers()[version]) as primary,
        standby(primary) as replica,
        psycopg.connect(primary.url, autocommit=True) as writing,
        psycopg.connect(replica.url, autocommit=True) as reading,
    ):
        yield Pair(primary, replica, writing, reading)


@pytest.fixture
def issues(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """300 rows in 10 groups, of which the standby knows."""
    monkeypatch.setattr(pace, "LAG_EVERY_S", 0.1)
    pair.writing.execute("DROP TABLE IF EXISTS issues; DROP SCHEMA IF EXISTS vaccine CASCADE")
    pair.writing.execute(
        "CREATE TABLE issues (id int PRIMARY KEY, hash text, status text);"
        "INSERT INTO issues SELECT n, 'k' || n % 10, 'open' FROM generate_series(1, 300) AS n"
    )
    pair.catch_up()
    yield pair
    pair.catch_up()


def dedupe(pair: Pair, said: list[str] | None = None, **options: int) -> int:
    with running(pair.primary.url, **options) as (run, _):
        table = read_table(run.worker, ISSUES)
        assert table is not None
        if said is not None:
            object.__setattr__(run, "say", said.append)
        return resolve(run, ISSUES, OLDER, table).rows


def test_rests_while_a_replica_is_late_and_goes_on(issues: Pair) -> None:
    issues.reading.execute("SELECT pg_wal_replay_pause()")
    said: list[str] = []

    def resume() -> None:
        until = time.monotonic() + 30
        while not said and time.monotonic() < until:
            time.sleep(0.05)
        issues.catch_up()

    resuming = threading.Thread(target=resume)
    resuming.start()
    assert dedupe(issues, said, max_lag_s=1, pause_ms=300, wait_s=60) == 290
    resuming.join()
    assert [line for line in said if line.startswith("resting: replica walreceiver at 127.0.0.1 replays ")]


def test_gives_up_in_words_and_goes_on_where_it_ended(issues: Pair) -> None:
    issues.reading.execute("SELECT pg_wal_replay_pause()")
    with pytest.raises(BlockedError, match=r"replica walreceiver at 127\.0\.0\.1 stayed") as given_up:
        dedupe(issues, max_lag_s=1, pause_ms=300, wait_s=1)
    assert "while a replica is more than 1 s late, for 1 s at most" in given_up.value.why
    assert "vaccine.max_lag_s" in given_up.value.fix
    done = issues.writing.execute(RESOLVED).fetchone()
    assert done is not None
    assert 0 < done[0] == done[1] < 290
    assert dedupe(issues, max_lag_s=0) == 290 - done[0]  # with the replica still behind
    assert issues.writing.execute(RESOLVED).fetchone() == (290, 290)


def test_a_replica_that_follows_holds_nobody_up(issues: Pair) -> None:
    said: list[str] = []
    assert dedupe(issues, said, max_lag_s=1) == 290
    assert said == []
    late = slowest_replica(issues.writing)
    assert late is None or late[1] < 30


def test_a_role_that_is_shown_no_replica_is_told(issues: Pair, tmp_path: Path) -> None:
    assert hidden_replicas(issues.writing) == 0
    issues.writing.execute("DROP TABLE issues;" + TABLE)
    issues.writing.execute(
        "CREATE ROLE small LOGIN; ALTER TABLE issues OWNER TO small; GRANT ALL ON SCHEMA public TO small"
    )
    issues.writing.execute("GRANT ALL ON DATABASE postgres TO small")
    try:
        environment = make_environment(tmp_path, issues.primary.url.replace("postgres@", "small@"))
        write_revision(environment, KEY, POLICY)
        up = environment.alembic("upgrade", "head").stdout
        assert "1 replica streams, and this role is not shown how late it is" in up
        assert "GRANT pg_monitor" in up
        assert "GRANT pg_monitor" in environment.alembic("downgrade", "base").stdout
    finally:
        issues.writing.execute("DROP TABLE issues; DROP OWNED BY small CASCADE; DROP ROLE small")


@pytest.mark.parametrize(
    ("per_migration", "known"),
    [(None, True), (None, False), (False, True)],
    ids=["vaccine's env.py", "nothing of Vaccine there", "plain env.py"],
)
def test_a_standby_is_refused(issues: Pair, tmp_path: Path, known: bool, per_migration: bool | None) -> None:
    issues.writing.execute("DROP TABLE issues;" + TABLE)
    if known:
        primary = make_environment(tmp_path / "primary", issues.primary.url, transaction_per_migration=per_migration)
        write_revision(primary, KEY, POLICY)
        primary.alembic("upgrade", "head")
        primary.alembic("downgrade", "base")
    issues.catch_up()
    environment = make_environment(tmp_path / "standby", issues.replica.url, transaction_per_migration=per_migration)
    write_revision(environment, KEY, POLICY, index="u")
    done = environment.alembic("upgrade", "head", check=False)
    issues.writing.execute("DROP TABLE IF EXISTS alembic_version")
    assert done.returncode != 0
    message = done.stdout + done.stderr
    assert "standby" in message
    assert "connect to the primary" in message
    assert "Traceback" not in message
