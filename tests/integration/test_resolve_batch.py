"""One batch in one statement: what it takes, what it leaves, and that both ways of resolving end in the same."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from psycopg import sql

from tests.images import image_rows
from tests.integration.test_dedupe import KEY, POLICY, live
from tests.integration.test_dedupe import run as run  # noqa: PLC0414  the fixture
from vaccine.operations.errors import LockTimeoutError
from vaccine.operations.key import Policy
from vaccine.operations.rows.find import Work, find
from vaccine.operations.rows.journal import ensure_images, ensure_journal
from vaccine.operations.rows.record import record_of
from vaccine.operations.rows.resolve import Resolved, Resolver, batch_settings, resolve
from vaccine.operations.rows.resolve_batch import BatchStatement
from vaccine.operations.rows.restore import Restored, Restoring, restore, restorers
from vaccine.operations.rows.shape import read_shape
from vaccine.operations.session.run import Run
from vaccine.operations.table import read_table

NO_KEY = sql.SQL("FOR NO KEY UPDATE")
OWN_IMAGES = replace(POLICY, assign={"state": {"sql": "'closed'"}})  # an expression: each row has its own new image


def found(run: Run, policy: Policy = POLICY) -> Work:
    table = read_table(run.worker, KEY)
    assert table is not None
    return find(run.worker, table, KEY, policy)


def resolver_of(run: Run, work: Work) -> Resolver:
    ensure_journal(run.worker)
    run.worker.execute("CREATE TEMPORARY TABLE IF NOT EXISTS vaccine_left (n integer PRIMARY KEY)")
    return Resolver(run, work, ensure_images(run.worker, work.table), Resolved())


def left(run: Run) -> list[int]:
    return [row[0] for row in run.worker.execute("SELECT n FROM pg_temp.vaccine_left ORDER BY n")]


@pytest.mark.every_version
@pytest.mark.parametrize("policy", [POLICY, OWN_IMAGES], ids=["shared", "own"])
def test_both_ways_end_in_the_same_rows_images_and_journal(run: Run, policy: Policy) -> None:
    journal = "SELECT row_count, primary_keys, survivors, outcome, images, plan, key_columns FROM vaccine.journal"
    ends = []
    for way in ("batch", "recheck"):
        run.worker.execute("DROP SCHEMA IF EXISTS vaccine CASCADE; UPDATE jobs SET state = 'open'")
        work = found(run, policy)
        resolver = resolver_of(run, work)
        if way == "batch":
            assert resolver.batch(0, 200, []) == 200
        else:
            assert resolver._again(list(range(1, 201)), [], skip=True) == 200
        rows = [run.worker.execute(each).fetchall() for each in ("SELECT * FROM jobs ORDER BY id", journal)]
        shared = run.worker.execute("SELECT shared_columns FROM vaccine.journal").fetchall()
        ends.append((rows, [image for _, image in sorted(image_rows(run.worker).items())]))
        assert shared == [(["state"] if way == "batch" and policy is POLICY else [],)]
    assert ends[0] == ends[1]
    assert len(ends[0][1]) == 200


@pytest.mark.every_version
def test_a_batch_leaves_what_is_no_longer_as_it_was_found(run: Run) -> None:
    work = found(run)
    resolver = resolver_of(run, work)
    run.worker.execute("UPDATE jobs SET seen = seen WHERE id = 5")  # the same values, another version
    run.worker.execute("UPDATE jobs SET seen = 999 WHERE id = 210")  # the survivor of 10 and 110
    run.worker.execute("DELETE FROM jobs WHERE id = 7")
    with run.connect() as other:
        other.execute("BEGIN")
        other.execute("SELECT FROM jobs WHERE id = 9 FOR UPDATE")
        assert resolver.batch(0, 200, []) == 195
        assert left(run) == [5, 7, 9, 10, 110]
        assert run.worker.execute("SELECT row_count FROM vaccine.journal").fetchone() == (195,)
        other.execute("COMMIT")
    assert resolve(run, KEY, POLICY, work.table).rows == 4
    assert live(run) == list(range(201, 301))


@pytest.mark.every_version
@pytest.mark.parametrize("shared", [("state",), ()], ids=["shared", "own"])
def test_a_row_that_changes_between_the_snapshot_and_the_lock_is_left(run: Run, shared: tuple[str, ...]) -> None:
    work = found(run)
    ensure_journal(run.worker)
    parts = work, ensure_images(run.worker, work.table), record_of(run, KEY, "p1"), NO_KEY
    statement = BatchStatement(*parts, shared)
    waiting = statement.statement(sql.Literal(0), sql.Literal(200)).as_string(run.worker).replace(" SKIP LOCKED", "")
    results: list[tuple[int, ...]] = []

    def execute() -> None:
        with run.worker.transaction():
            run.worker.execute(batch_settings(run))
            run.worker.execute("SET LOCAL lock_timeout = 0")
            row = run.worker.execute(sql.SQL(waiting)).fetchone()  # type: ignore[arg-type]
            assert row is not None
            results.append(row[1:5])

    with run.connect() as other:
        other.execute("BEGIN")
        other.execute("UPDATE jobs SET seen = 5000 WHERE id = 150")
        thread = threading.Thread(target=execute)
        thread.start()
        blocked = "SELECT FROM pg_locks WHERE NOT granted AND pid = %s"
        while not other.execute(blocked, (run.worker.info.backend_pid,)).fetchall():
            time.sleep(0.01)
        other.execute("COMMIT")
        thread.join()
    assert results == [(199, 199, 199, 0)]
    assert 150 in live(run)
    assert resolve(run, KEY, POLICY, work.table).rows == 1  # row 250, of which 150 is the survivor now
    assert live(run) == sorted({*range(201, 301), 150} - {250})


def test_a_table_that_was_rewritten_meanwhile_loses_nothing(run: Run) -> None:
    # All rows came from one statement: they share their xmin, and VACUUM FULL gives rows the ctid of others.
    run.worker.execute("DELETE FROM jobs WHERE id % 3 = 0")
    work = found(run)
    rows = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    run.worker.execute("VACUUM FULL jobs")
    assert resolve(run, KEY, POLICY, work.table, work).rows == work.rows
    assert run.worker.execute("SELECT count(*) - count(DISTINCT code) FROM jobs WHERE state = 'open'").fetchone() == (
        0,
    )
    assert restore(run, KEY, "p1", work.table).rows == work.rows
    assert run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall() == rows


AFTER = """
CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN UPDATE jobs SET seen = -1 WHERE id = NEW.id AND seen <> -1; RETURN NULL; END';
CREATE {} TRIGGER count_up AFTER UPDATE ON jobs {} FOR EACH ROW EXECUTE FUNCTION count_up();
"""


@pytest.mark.every_version
@pytest.mark.parametrize("deferred", [False, True], ids=["after", "deferred"])
def test_what_a_late_trigger_changes_is_in_the_new_image(run: Run, deferred: bool) -> None:
    words = ("CONSTRAINT", "DEFERRABLE INITIALLY DEFERRED") if deferred else ("", "")
    run.worker.execute(AFTER.format(*words))
    before = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    work = found(run)
    assert read_shape(run.worker, work.table).late
    assert resolve(run, KEY, POLICY, work.table, work).rows == 200
    new = "SELECT count(*), min(seen), max(seen) FROM vaccine.images_1 WHERE vaccine_image = 'after'"
    assert run.worker.execute(new).fetchone() == (200, -1, -1)
    done = restore(run, KEY, "p1", work.table)
    assert (done.rows, done.kept) == (200, 0)
    assert run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall() == before


def test_an_assigned_expression_may_name_columns_and_tables_of_its_own(run: Run) -> None:
    run.worker.execute('CREATE TABLE "vaccine locked" (note text)')
    run.worker.execute("INSERT INTO \"vaccine locked\" VALUES ('theirs')")
    policy = POLICY.__class__(
        POLICY.survivor,
        {"state": {"sql": "'was ' || state || ' ' || jobs.code"}, "seen": {"sql": "seen + id"}},
        (), 1000, "p1",
    )  # fmt: skip
    table = read_table(run.worker, KEY)
    assert table is not None
    assert resolve(run, KEY, policy, table).rows == 200
    assert run.worker.execute("SELECT state, seen FROM jobs WHERE id = 3").fetchone() == ("was open c3", 6)


@pytest.mark.every_version
@pytest.mark.parametrize("policy", [POLICY, OWN_IMAGES], ids=["shared", "own"])
def test_a_stretch_restores_what_it_may_and_the_rest_is_looked_at(run: Run, policy: Policy) -> None:
    before = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    work = found(run, policy)
    resolve(run, KEY, policy, work.table, work)
    run.worker.execute("UPDATE jobs SET seen = seen WHERE id = 4")  # touched, not edited
    run.worker.execute("UPDATE jobs SET seen = -4 WHERE id = 6; DELETE FROM jobs WHERE id = 8")
    if policy is OWN_IMAGES:  # a row in which another column differs too, as if a trigger that is gone had stamped it
        run.worker.execute("UPDATE jobs SET seen = -1 WHERE id = 190")
    run.worker.execute("UPDATE vaccine.images_1 SET seen = -1 WHERE id = 190 AND vaccine_image = 'after'")
    with run.connect() as other:
        other.execute("BEGIN")
        other.execute("SELECT FROM jobs WHERE id = 12 FOR UPDATE")
        timer = threading.Timer(0.1, other.execute, ("COMMIT",))
        timer.start()
        done = restore(run, KEY, "p1", work.table)
        timer.join()
    assert (done.rows, done.kept, done.kept_keys) == (198, 2, ["6", "8"])
    after = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    edited = {6: (6, "c6", "closed", -4)}
    assert after == [edited.get(row[0], row) for row in before if row[0] != 8]
    outcome = "SELECT DISTINCT outcome, cardinality(skipped_rows) FROM vaccine.journal"
    assert run.worker.execute(outcome).fetchall() == [("restored", 0)]


def test_a_killed_restore_goes_on_with_the_rows_that_it_had_left(run: Run) -> None:
    before = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    work = found(run)
    resolve(run, KEY, POLICY, work.table, work)
    with run.connect() as other, run.connect() as first:
        other.execute("BEGIN")
        other.execute("SELECT FROM jobs WHERE id IN (12, 150) FOR UPDATE")
        half = Run("r", run.options, run.connect, first, run.say)
        with pytest.raises(LockTimeoutError):
            restore(half, KEY, "p1", work.table)
        other.execute("COMMIT")
    already = len(live(run)) - 100
    assert already > 0
    assert restore(run, KEY, "p1", work.table).rows == 200 - already
    assert run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall() == before


STAMP = """
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen := -1; RETURN NEW; END';
CREATE TRIGGER stamp BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION stamp();
"""


@pytest.mark.every_version
@pytest.mark.parametrize("to", ["closed", None], ids=["a value", "NULL"])
def test_shared_images_restore_under_a_trigger_that_came_later(run: Run, to: str | None) -> None:
    policy = replace(POLICY, assign={"state": to, "code": "none"})
    before = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    work = found(run, policy)
    resolve(run, KEY, policy, work.table, work)
    assert run.worker.execute("SELECT DISTINCT shared_columns FROM vaccine.journal").fetchall() == [
        (["state", "code"],)
    ]
    assert all(new == old | {"state": to, "code": "none"} for old, new in image_rows(run.worker).values())
    run.worker.execute("UPDATE jobs SET code = 'other' WHERE id = 6; UPDATE jobs SET state = 'x' WHERE id = 8")
    edited = run.worker.execute("SELECT * FROM jobs WHERE id IN (6, 8) ORDER BY id").fetchall()
    run.worker.execute(STAMP)
    done = restore(run, KEY, "p1", work.table)
    assert (done.rows, done.kept, done.stamped) == (198, 2, set())
    kept = {row[0]: row for row in edited}
    assert run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall() == [kept.get(row[0], row) for row in before]


@pytest.mark.parametrize(
    "ddl",
    [
        "ALTER TABLE jobs ADD twice integer GENERATED ALWAYS AS (seen * 2) STORED",
        STAMP,
        "CREATE RULE log AS ON UPDATE TO jobs DO ALSO SELECT 1",
        (
            "ALTER TABLE jobs ADD parent integer; CREATE UNIQUE INDEX u ON jobs (id, state);"
            "ALTER TABLE jobs ADD FOREIGN KEY (parent, state) REFERENCES jobs (id, state) ON UPDATE CASCADE"
        ),
    ],
    ids=["a generated column", "a trigger", "a rule", "a cascade"],
)
def test_nothing_is_shared_where_something_else_has_a_say(run: Run, ddl: str) -> None:
    run.worker.execute(ddl)
    work = found(run)
    assert resolve(run, KEY, POLICY, work.table, work).rows == 200
    assert run.worker.execute("SELECT DISTINCT shared_columns FROM vaccine.journal").fetchall() == [([],)]
    images = "SELECT count(*) FROM vaccine.images_1 WHERE vaccine_image = 'after'"
    assert run.worker.execute(images).fetchone() == (200,)


@pytest.mark.every_version
@pytest.mark.parametrize("rewrite", ["VACUUM FULL jobs", "UPDATE jobs SET seen = seen", "CLUSTER jobs USING jobs_code"])
def test_rows_that_lie_elsewhere_are_restored_all_the_same(run: Run, rewrite: str) -> None:
    run.worker.execute("CREATE INDEX jobs_code ON jobs (code)")
    before = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    work = found(run)
    resolve(run, KEY, POLICY, work.table, work)
    moved = (
        "SELECT count(*) FROM vaccine.journal AS j, unnest(j.left_at) WITH ORDINALITY AS l (at, place)"
        " JOIN jobs ON jobs.ctid = l.at WHERE jobs.id = (j.primary_keys -> (place - 1)::integer ->> 0)::integer"
    )
    assert run.worker.execute(moved).fetchone() == (200,)
    run.worker.execute(rewrite)
    row = run.worker.execute(moved).fetchone()
    assert row is not None
    assert row[0] < 20
    done = restore(run, KEY, "p1", work.table)
    assert (done.rows, done.kept) == (200, 0)
    assert run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall() == before


def test_a_table_that_is_rewritten_while_a_restore_runs_loses_nothing(run: Run) -> None:
    before = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    work = found(run)
    resolve(run, KEY, POLICY, work.table, work)
    ways: list[bool] = []

    class Rewriting(Restoring):
        def _stretch(self) -> tuple[int, float]:
            found = super()._stretch()
            ways.append(self.prepared.of is None)
            if len(ways) == 1:
                with self.run.connect() as other:
                    other.execute("DELETE FROM jobs WHERE id > 290")
                    other.execute("VACUUM FULL jobs")
            return found

    done = Restored()
    Rewriting(run, KEY, done).run_all(restorers(run, KEY, "p1", work.table))
    assert (done.rows, done.kept) == (200, 0)
    assert ways[:2] == [False, True]  # what lay elsewhere was left, and the next stretch looks again
    assert False in ways[2:]
    after = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    assert after == [row for row in before if row[0] <= 290]


def test_an_older_batch_that_a_killed_restore_has_left_rows_of_comes_after_newer_ones(run: Run) -> None:
    before = run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall()
    work = found(run)
    resolve(run, KEY, POLICY, work.table, work)
    older = "batch = (SELECT min(batch) + 1 FROM vaccine.journal)"
    run.worker.execute(
        "UPDATE vaccine.journal SET outcome = 'restoring', restore_cursor = row_count,"
        f" skipped_rows = ARRAY(SELECT generate_series(1, row_count)) WHERE {older}"
    )
    done = restore(run, KEY, "p1", work.table)
    assert (done.rows, done.kept) == (200, 0)
    assert run.worker.execute("SELECT * FROM jobs ORDER BY id").fetchall() == before
    assert run.worker.execute("SELECT DISTINCT outcome FROM vaccine.journal").fetchall() == [("restored",)]
