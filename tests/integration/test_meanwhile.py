"""What others do to the table while a run goes on, and what its triggers, rules and keys do to the batches."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg import sql

from tests.integration.test_dedupe import KEY, POLICY, live
from tests.integration.test_dedupe import run as run  # noqa: PLC0414  the fixture
from vaccine.operations.checks.preflight import before_resolve
from vaccine.operations.errors import LockTimeoutError, OperationError, PreflightError, VerifyError
from vaccine.operations.key import Key
from vaccine.operations.rows.pace import Throttle
from vaccine.operations.rows.resolve import resolve
from vaccine.operations.rows.restore import restore
from vaccine.operations.session.run import Run
from vaccine.operations.table import MOST_COLUMNS, TargetTable, read_table

ROWS = "SELECT * FROM jobs ORDER BY id"


def table_of(run: Run, key: Key = KEY) -> TargetTable:
    table = read_table(run.worker, key)
    assert table is not None
    return table


def there_and_back(run: Run) -> None:
    """All 200 rows are resolved, all are restored, and every row is its old self."""
    before = run.worker.execute(ROWS).fetchall()
    assert resolve(run, KEY, POLICY, table_of(run)).rows == 200
    assert live(run) == list(range(201, 301))
    done = restore(run, KEY, "p1", table_of(run))
    assert (done.rows, done.kept, done.stamped) == (200, 0, set())
    assert run.worker.execute(ROWS).fetchall() == before


def after_first_batch(monkeypatch: pytest.MonkeyPatch, run: Run, statement: str) -> list[str]:
    """Let another session run a statement once the first batch is committed. The list tells that it did."""
    done: list[str] = []

    def rest(_: Throttle) -> None:
        if not done:
            done.append(statement)
            with run.connect() as other:
                other.execute("SET lock_timeout = '5s'")
                other.execute(statement)

    monkeypatch.setattr(Throttle, "rest", rest)
    return done


COUNT_UP = """
CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN UPDATE jobs SET seen = -1 WHERE id = NEW.id AND seen <> -1; RETURN NULL; END';
CREATE TRIGGER count_up AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION count_up();
"""
STAMP = """
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen := -2; RETURN NEW; END';
CREATE TRIGGER stamp BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION stamp();
"""
LOG = "CREATE TABLE log (id integer); CREATE RULE logged AS ON UPDATE TO jobs DO ALSO INSERT INTO log VALUES (NEW.id)"


@pytest.mark.parametrize("meanwhile", [COUNT_UP, STAMP, LOG], ids=["after", "before", "rule"])
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_trigger_or_rule_that_comes_between_two_batches(
    run: Run, monkeypatch: pytest.MonkeyPatch, meanwhile: str, way: str
) -> None:
    before = run.worker.execute(ROWS).fetchall()
    if way == "down":
        resolve(run, KEY, POLICY, table_of(run))
    done = after_first_batch(monkeypatch, run, meanwhile)
    if way == "up":
        assert resolve(run, KEY, POLICY, table_of(run)).rows == 200
        assert done
    back = restore(run, KEY, "p1", table_of(run))
    assert done
    assert (back.rows, back.kept, back.stamped) == (200, 0, set())
    assert run.worker.execute(ROWS).fetchall() == before


@pytest.mark.parametrize(
    "meanwhile",
    [
        "ADD COLUMN more integer DEFAULT 1",
        "ALTER seen TYPE numeric(9,2) USING seen + 0.25",  # an image of its old type would round it
        "DROP COLUMN seen",
        "DROP CONSTRAINT jobs_pkey",
    ],
)
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_table_that_is_altered_between_two_batches(
    run: Run, monkeypatch: pytest.MonkeyPatch, meanwhile: str, way: str
) -> None:
    table = table_of(run)
    if way == "down":
        resolve(run, KEY, POLICY, table)
    started = len(live(run))
    after_first_batch(monkeypatch, run, f"ALTER TABLE jobs {meanwhile}")
    with pytest.raises(OperationError, match=r"public\.jobs was altered while the run went on"):
        resolve(run, KEY, POLICY, table) if way == "up" else restore(run, KEY, "p1", table)
    counts = run.worker.execute("SELECT sum(row_count), sum(restored_count) FROM vaccine.journal").fetchone()
    assert counts is not None
    assert abs(len(live(run)) - started) == counts[way == "down"] > 0


def test_another_table_under_the_same_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    away = "ALTER TABLE jobs RENAME TO old_jobs"
    again = "CREATE TABLE jobs AS TABLE old_jobs; ALTER TABLE jobs ADD PRIMARY KEY (id)"
    after_first_batch(monkeypatch, run, f"BEGIN; {away}; {again}; COMMIT")
    with pytest.raises(OperationError, match="was altered"):
        resolve(run, KEY, POLICY, table_of(run))


def test_a_table_with_a_rule(run: Run) -> None:
    run.worker.execute(LOG)
    there_and_back(run)
    assert run.worker.execute("SELECT count(*) FROM log").fetchone() == (400,)


def test_a_before_trigger_that_comes_back_at_the_commit(run: Run) -> None:
    run.worker.execute(
        """CREATE TABLE log (id integer);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN IF pg_trigger_depth() = 1 THEN INSERT INTO log VALUES (NEW.id); END IF; RETURN NEW; END';
        CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN UPDATE jobs SET seen = -1 WHERE id = NEW.id; RETURN NULL; END';
        CREATE TRIGGER note BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION note();
        CREATE CONSTRAINT TRIGGER back AFTER INSERT ON log DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION back()"""
    )
    there_and_back(run)


def test_a_before_trigger_that_changes_other_rows_of_the_batch(run: Run) -> None:
    run.worker.execute(
        """CREATE FUNCTION others() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN
             IF pg_trigger_depth() = 1 THEN UPDATE jobs SET seen = seen WHERE code = NEW.code AND id <> NEW.id; END IF;
             RETURN NEW;
           END';
        CREATE TRIGGER others BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION others()"""
    )
    there_and_back(run)


@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
def test_a_trigger_that_changes_the_primary_key_ends_the_run(run: Run, when: str) -> None:
    body = {
        "BEFORE": "NEW.id := OLD.id + 1000; RETURN NEW;",
        "AFTER": "UPDATE jobs SET id = OLD.id + 1000 WHERE id = OLD.id; RETURN NULL;",
    }[when]
    run.worker.execute(
        f"""CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN IF pg_trigger_depth() > 1 THEN RETURN NEW; END IF; {body} END';
        CREATE TRIGGER move {when} UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION move()"""
    )
    with pytest.raises(VerifyError, match="rolled back"):
        resolve(run, KEY, POLICY, table_of(run))
    assert len(live(run)) == 300


def test_a_foreign_key_whose_cascade_leads_back(run: Run) -> None:
    run.worker.execute(
        """ALTER TABLE jobs ADD UNIQUE (state, id);
        CREATE TABLE child AS SELECT state, id FROM jobs;
        ALTER TABLE child ADD FOREIGN KEY (state, id) REFERENCES jobs (state, id) ON UPDATE CASCADE;
        CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN UPDATE jobs SET seen = -1 WHERE id = NEW.id AND seen <> -1; RETURN NULL; END';
        CREATE TRIGGER back AFTER UPDATE ON child FOR EACH ROW EXECUTE FUNCTION back()"""
    )
    there_and_back(run)
    assert run.worker.execute("SELECT count(*) FROM child WHERE state = 'open'").fetchone() == (300,)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_table_that_others_hold_against_writers_is_not_waited_for_without_an_end(run: Run, way: str) -> None:
    table = table_of(run)
    if way == "down":
        resolve(run, KEY, POLICY, table)
    with run.connect() as other:
        other.execute("SET application_name = 'nightly'; BEGIN")
        other.execute("LOCK TABLE jobs IN SHARE MODE")
        run.worker.execute("SET statement_timeout = '10s'")
        with pytest.raises(LockTimeoutError) as refused:
            resolve(run, KEY, POLICY, table) if way == "up" else restore(run, KEY, "p1", table)
    assert "application nightly" in refused.value.why


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_row_whose_child_is_being_written_is_passed_by(run: Run, way: str) -> None:
    # The assigned column is in a unique index: its UPDATE waits for who holds the row FOR KEY SHARE.
    run.worker.execute("ALTER TABLE jobs ADD UNIQUE (state, id); CREATE TABLE child (job integer REFERENCES jobs)")
    table = table_of(run)
    if way == "down":
        resolve(run, KEY, POLICY, table)
    with run.connect() as other:
        other.execute("BEGIN")
        other.execute("INSERT INTO child VALUES (5)")
        with pytest.raises(LockTimeoutError):
            resolve(run, KEY, POLICY, table) if way == "up" else restore(run, KEY, "p1", table)
    held = {5} if way == "up" else set(range(1, 301)) - {5}
    assert live(run) == sorted({*range(201, 301), *held})


def test_an_assignment_that_ends_in_a_comment(run: Run) -> None:
    policy = replace(POLICY, assign={"seen": {"sql": "seen + 1 -- once more"}, "state": {"sql": "'closed' -- gone"}})
    run.worker.execute("UPDATE jobs SET seen = seen")
    assert resolve(run, KEY, policy, table_of(run)).rows == 200
    assert run.worker.execute("SELECT state, seen FROM jobs WHERE id = 3").fetchone() == ("closed", 4)


def test_a_table_of_as_many_columns_as_fit(run: Run) -> None:
    more = ", ".join(f"ADD COLUMN x{number} integer DEFAULT 1" for number in range(MOST_COLUMNS - 4))
    run.worker.execute(f"ALTER TABLE jobs {more}")
    before_resolve(run, KEY, POLICY, None)
    there_and_back(run)
    run.worker.execute("ALTER TABLE jobs ADD COLUMN straw integer")
    with pytest.raises(PreflightError, match=f"{MOST_COLUMNS} at most"):
        before_resolve(run, KEY, POLICY, None)


@pytest.mark.parametrize("name", ["old", "new", "t", "w", "s", "r", "a", "b", "vaccine row", "vaccine after"])
def test_a_table_named_like_a_word_of_ours(run: Run, name: str) -> None:
    run.worker.execute(sql.SQL("ALTER TABLE jobs RENAME TO {}").format(sql.Identifier(name)))
    key = replace(KEY, table=name, where=f"\"{name}\".state = 'open'")
    assert resolve(run, key, POLICY, table_of(run, key)).rows == 200
    assert restore(run, key, "p1", table_of(run, key)).rows == 200


def test_rows_that_are_gone_leave_together(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRUNCATE after the first batch, and the rest is over in a few batches: not in one a row."""
    rests: list[int] = []

    def rest(_: Throttle) -> None:
        rests.append(1)
        if len(rests) == 1:
            with run.connect() as other:
                other.execute("TRUNCATE jobs")

    monkeypatch.setattr(Throttle, "rest", rest)
    assert 0 < resolve(run, KEY, POLICY, table_of(run)).rows < 200
    assert len(rests) < 20
