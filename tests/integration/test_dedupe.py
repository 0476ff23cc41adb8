"""Resolving under traffic: locked rows, rows that change meanwhile, triggers that interfere, runs that are killed."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import psycopg
import pytest

from tests.images import image_rows
from vaccine.operations.errors import DriftedError, LockTimeoutError, VerifyError
from vaccine.operations.key import Key, Policy
from vaccine.operations.options import Options
from vaccine.operations.rows.find import find
from vaccine.operations.rows.journal import ensure_images, ensure_journal
from vaccine.operations.rows.resolve import Resolved, Resolver, resolve
from vaccine.operations.session.run import Run
from vaccine.operations.table import read_table

KEY = Key("public", "jobs", ("code",), "state = 'open'")
POLICY = Policy(("seen DESC",), {"state": "closed"}, (), 1000, "p1")


@pytest.fixture
def run(database: str, connection: psycopg.Connection) -> Run:
    connection.execute("CREATE TABLE jobs (id integer PRIMARY KEY, code text, state text, seen integer)")
    connection.execute("INSERT INTO jobs SELECT n, 'c' || n % 100, 'open', n FROM generate_series(1, 300) AS g (n)")

    def connect() -> psycopg.Connection:
        return psycopg.connect(database, autocommit=True, prepare_threshold=None)

    said: list[str] = []
    connection.prepare_threshold = None  # psycopg would deallocate our prepared statements with its own
    return Run("r", Options(lock_timeout_ms=50, lock_tries=3), connect, connection, said.append)


def do_resolve(run: Run, policy: Policy = POLICY) -> int:
    table = read_table(run.worker, KEY)
    assert table is not None
    return resolve(run, KEY, policy, table).rows


def live(run: Run) -> list[int]:
    return [row[0] for row in run.worker.execute("SELECT id FROM jobs WHERE state = 'open' ORDER BY id")]


@pytest.mark.every_version
def test_the_last_seen_row_of_each_group_survives(run: Run) -> None:
    assert do_resolve(run) == 200
    assert live(run) == list(range(201, 301))
    assert do_resolve(run) == 0
    assert run.worker.execute("SELECT sum(row_count) FROM vaccine.journal").fetchone() == (200,)
    images = image_rows(run.worker).values()
    assert sorted(int(old["id"] or 0) for old, _ in images) == list(range(1, 201))
    assert all(new == old | {"state": "closed"} for old, new in images)


def test_rows_kept_by_hand_survive(run: Run) -> None:
    do_resolve(run, replace(POLICY, keep=(("7",),)))
    assert [number for number in live(run) if number % 100 == 7] == [7]


def test_a_row_held_by_another_session_is_waited_for_and_the_rest_goes_on(run: Run) -> None:
    with run.connect() as other:
        other.execute("BEGIN")
        other.execute("UPDATE jobs SET seen = seen WHERE id = 5")
        timer = threading.Timer(0.3, other.execute, ("COMMIT",))
        timer.start()
        assert do_resolve(replace(run, options=Options(lock_timeout_ms=100, lock_tries=30))) == 200
        timer.join()
    assert live(run) == list(range(201, 301))


def test_a_row_that_stays_locked_is_named_and_the_rest_is_done(run: Run) -> None:
    with run.connect() as other:
        other.execute("SET application_name = 'report'; BEGIN")
        other.execute("UPDATE jobs SET seen = seen WHERE id = 5")
        with pytest.raises(LockTimeoutError, match="resolve rows of public") as refused:
            do_resolve(run)
        assert "application report" in refused.value.why
        assert len(live(run)) == 101
        other.execute("COMMIT")
    assert do_resolve(run) == 1
    assert live(run) == list(range(201, 301))


def test_what_changed_since_it_was_found_is_looked_at_again(run: Run) -> None:
    table = read_table(run.worker, KEY)
    assert table is not None
    work = find(run.worker, table, KEY, POLICY)
    assert (work.rows, work.groups) == (200, 100)
    run.worker.execute("UPDATE jobs SET state = 'gone' WHERE id = 300")  # the survivor of 100 and 200
    run.worker.execute("UPDATE jobs SET code = 'other' WHERE id = 1")  # no longer excess
    run.worker.execute("UPDATE jobs SET seen = 999 WHERE id = 2")  # comes first in its group now
    run.worker.execute("DELETE FROM jobs WHERE id = 3")
    done = resolve(run, KEY, POLICY, table, work)
    assert done.rows == 197
    expected = sorted({*range(201, 300), 200, 1, 2} - {202})
    assert live(run) == expected


def test_max_rows_counts_all_steps_of_a_revision(run: Run) -> None:
    policy = replace(POLICY, max_rows=201)
    assert do_resolve(run, policy) == 200
    run.worker.execute("INSERT INTO jobs VALUES (301, 'c1', 'open', 301)")
    assert do_resolve(run, policy) == 1
    run.worker.execute("INSERT INTO jobs VALUES (302, 'c1', 'open', 302)")
    with pytest.raises(DriftedError, match="other duplicates than the plan approved") as refused:
        do_resolve(run, policy)
    assert "201 were resolved before; max_rows is 201" in refused.value.why
    assert do_resolve(replace(run, options=Options(drift="accept")), policy) == 1


TRIGGER = """
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {} END';
CREATE TRIGGER meddle {} UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION meddle();
"""


@pytest.mark.parametrize(
    ("body", "when"),
    [
        ("NEW.state := OLD.state; RETURN NEW;", "BEFORE"),
        ("RETURN NULL;", "BEFORE"),
        ("UPDATE jobs SET state = ''open'' WHERE id = NEW.id AND state <> ''open''; RETURN NULL;", "AFTER"),
        ("DELETE FROM jobs WHERE id = NEW.id; RETURN NULL;", "AFTER"),
    ],
    ids=["puts it back", "swallows it", "reopens it", "deletes it"],
)
def test_a_trigger_that_undoes_the_resolve_ends_the_run(run: Run, body: str, when: str) -> None:
    run.worker.execute(TRIGGER.format(body, when))
    before = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    with pytest.raises(VerifyError, match="does not retire"):
        do_resolve(run)
    assert run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall() == before
    assert run.worker.execute("SELECT count(*) FROM vaccine.journal").fetchone() == (0,)


def test_an_assignment_that_does_not_end_the_predicate_ends_the_run(run: Run) -> None:
    with pytest.raises(VerifyError, match="does not retire"):
        do_resolve(run, replace(POLICY, assign={"seen": 0}))
    assert len(live(run)) == 300


@pytest.mark.every_version
def test_a_run_killed_between_batches_goes_on(run: Run) -> None:
    table = read_table(run.worker, KEY)
    assert table is not None
    with run.connect() as first:
        half = replace(run, worker=first)
        work = find(first, table, KEY, POLICY)
        ensure_journal(first)
        resolver = Resolver(half, work, ensure_images(first, table), Resolved())
        first.execute("CREATE TEMPORARY TABLE vaccine_left (n integer PRIMARY KEY)")
        assert resolver.batch(0, 50, []) == 50
        run.worker.execute("SELECT pg_terminate_backend(%s)", (first.info.backend_pid,))
        time.sleep(0.1)
        with pytest.raises(psycopg.OperationalError):
            resolver.batch(50, 100, [])
    assert do_resolve(run) == 150
    assert live(run) == list(range(201, 301))
    rows = "SELECT count(*), count(DISTINCT id) FROM vaccine.images_1 WHERE vaccine_image = 'before'"
    assert run.worker.execute(rows).fetchone() == (200, 200)


@pytest.mark.every_version
def test_rows_of_a_partitioned_table(run: Run) -> None:
    run.worker.execute("DROP TABLE jobs")
    run.worker.execute(
        "CREATE TABLE jobs (id integer PRIMARY KEY, code text, state text, seen integer) PARTITION BY RANGE (id)"
    )
    run.worker.execute("CREATE TABLE jobs_low PARTITION OF jobs FOR VALUES FROM (0) TO (2)")
    run.worker.execute("CREATE TABLE jobs_high PARTITION OF jobs DEFAULT")
    run.worker.execute("INSERT INTO jobs VALUES (1, 'a', 'open', 1), (2, 'a', 'open', 2)")
    assert do_resolve(run) == 1
    assert live(run) == [2]


def test_rows_of_inheriting_tables_are_left_alone(run: Run) -> None:
    run.worker.execute("CREATE TABLE heirs () INHERITS (jobs)")
    run.worker.execute("INSERT INTO heirs VALUES (1000, 'c1', 'open', 1000), (1001, 'c1', 'open', 0)")
    assert do_resolve(run) == 200
    assert live(run) == [*range(201, 301), 1000, 1001]
