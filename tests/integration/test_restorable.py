"""What would make a restore untrue: foreign keys, partitions, changed columns and keys are refused, or seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import make_environment, write_revision
from tests.integration import test_restore as story
from tests.integration.test_dedupe import KEY, POLICY
from tests.integration.test_dedupe import run as run  # noqa: PLC0414  the fixture
from tests.integration.test_offline import psql, script_of
from vaccine.demo.server import Server
from vaccine.operations.checks.preflight import before_index, before_resolve
from vaccine.operations.checks.way_back import before_restore
from vaccine.operations.errors import PreflightError, RestoreError
from vaccine.operations.rows.resolve import resolve
from vaccine.operations.rows.restore import Restored, restore
from vaccine.operations.session.run import Run
from vaccine.operations.table import read_table

CHAIN = """
CREATE UNIQUE INDEX u ON jobs (id, state);
CREATE TABLE b (bid int PRIMARY KEY, jid int, jstate text, UNIQUE (bid, jstate),
                FOREIGN KEY (jid, jstate) REFERENCES jobs (id, state) ON UPDATE CASCADE);
CREATE TABLE c (cid int PRIMARY KEY, bid int, bstate text,
                CONSTRAINT far FOREIGN KEY (bid, bstate) REFERENCES b (bid, jstate) ON UPDATE {});
INSERT INTO b SELECT id, id, state FROM jobs;
INSERT INTO c SELECT id, id, state FROM jobs;
"""
CHILD = """
CREATE UNIQUE INDEX u ON jobs (id, state);
CREATE TABLE child (cid int PRIMARY KEY, jid int, jstate text,
                    CONSTRAINT follows FOREIGN KEY (jid, jstate) REFERENCES jobs (id, state) ON UPDATE SET NULL);
INSERT INTO child SELECT id, id, state FROM jobs;
"""
PARTITIONED = """
CREATE TABLE parts (id int, code text, state text, seen int, PRIMARY KEY (id), UNIQUE (id, state))
  PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (150);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (150) TO (1000);
INSERT INTO parts SELECT n, 'c' || n % 100, 'open', n FROM generate_series(1, 300) AS n;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen := NEW.seen + 1; RETURN NEW; END';
"""
PARTS, PART = replace(KEY, table="parts"), replace(KEY, table="parts_2")
STAMP = "CREATE TRIGGER stamp BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION stamp();"


def up(run: Run, key: object = KEY) -> None:
    table, work = before_resolve(run, key, POLICY, None)  # type: ignore[arg-type]
    assert resolve(run, key, POLICY, table, work).rows == work.rows > 0  # type: ignore[arg-type]


def down(run: Run, key: object = KEY) -> Restored:
    table, found = before_restore(run, key, "p1")  # type: ignore[arg-type]
    assert table is not None
    return restore(run, key, "p1", table, found)  # type: ignore[arg-type]


def rows(run: Run, *tables: str) -> list[object]:
    return [run.worker.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]


@pytest.mark.every_version
def test_a_chain_of_cascades_is_followed_to_its_end(run: Run) -> None:
    run.worker.execute(CHAIN.format("SET NULL"))
    before = rows(run, "jobs", "b", "c")
    with pytest.raises(PreflightError) as refused:
        before_resolve(run, KEY, POLICY, None)
    assert "the foreign key far of c (ON UPDATE SET NULL) refers to jstate of b" in refused.value.why
    run.worker.execute(
        "ALTER TABLE c DROP CONSTRAINT far; ALTER TABLE c ADD FOREIGN KEY (bid, bstate) REFERENCES b (bid, jstate)"
        " ON UPDATE CASCADE"
    )
    up(run)
    assert run.worker.execute("SELECT count(*) FROM c WHERE bstate = 'closed'").fetchone() == (200,)
    assert down(run).rows == 200
    assert rows(run, "jobs", "b", "c") == before


def test_a_cascade_that_leads_back_over_another_table_is_refused(run: Run) -> None:
    run.worker.execute(CHAIN.format("CASCADE"))
    run.worker.execute(
        "ALTER TABLE jobs ADD cid int, ADD cstate text; ALTER TABLE c ADD UNIQUE (cid, bstate);"
        "ALTER TABLE jobs ADD CONSTRAINT back FOREIGN KEY (cid, cstate) REFERENCES c (cid, bstate) ON UPDATE CASCADE"
    )
    with pytest.raises(PreflightError, match="refused") as refused:
        before_index(run, "k", KEY, POLICY)
    assert "the foreign key back of jobs (ON UPDATE CASCADE) refers to bstate of c" in refused.value.why


@pytest.mark.every_version
def test_a_leaf_of_a_parent_that_is_referred_to(run: Run) -> None:
    run.worker.execute(PARTITIONED)
    run.worker.execute(
        "CREATE TABLE child (jid int, jstate text, CONSTRAINT follows FOREIGN KEY (jid, jstate)"
        " REFERENCES parts (id, state) ON UPDATE SET NULL)"
    )
    for key in (PARTS, PART):
        with pytest.raises(PreflightError) as refused:
            before_resolve(run, key, POLICY, None)
        assert refused.value.why.count("of child (ON UPDATE SET NULL) refers to state") == 1


def test_a_foreign_key_that_came_after_the_upgrade_is_refused_on_the_way_back(run: Run) -> None:
    up(run)
    run.worker.execute(CHILD)
    before = rows(run, "jobs", "child")
    with pytest.raises(RestoreError) as refused:
        down(run)
    assert "the foreign key follows of child (ON UPDATE SET NULL) refers to state of jobs" in refused.value.why
    assert rows(run, "jobs", "child") == before
    run.worker.execute("DROP TABLE child")
    assert down(run).rows == 200


@pytest.mark.every_version
@pytest.mark.parametrize("on", [("parts_1", "parts_2"), ("parts",)], ids=["of partitions", "of the parent"])
def test_triggers_of_partitions_are_seen(run: Run, on: tuple[str, ...]) -> None:
    run.worker.execute(PARTITIONED + "".join(map(STAMP.format, on)))
    before = rows(run, "parts")
    up(run, PARTS)
    assert run.worker.execute("SELECT DISTINCT shared_columns FROM vaccine.journal").fetchall() == [([],)]
    done = down(run, PARTS)
    assert (done.rows, done.kept, done.stamped) == (200, 0, set())
    assert rows(run, "parts") == before


def test_a_partition_whose_clone_of_its_parents_trigger_is_called_internal(run: Run) -> None:
    run.worker.execute(PARTITIONED + STAMP.format("parts"))
    run.worker.execute("SET allow_system_table_mods = on")  # as it is on 13 and 14
    run.worker.execute(
        "UPDATE pg_trigger SET tgisinternal = TRUE WHERE tgrelid = 'parts_2'::regclass AND tgname = 'stamp'"
    )
    before = rows(run, "parts_2")
    up(run, PART)
    assert run.worker.execute("SELECT DISTINCT shared_columns FROM vaccine.journal").fetchall() == [([],)]
    assert down(run, PART).kept == 0
    assert rows(run, "parts_2") == before


@pytest.mark.every_version
@pytest.mark.parametrize(
    "ddl",
    [
        "ALTER TABLE jobs ALTER num DROP DEFAULT; ALTER TABLE jobs ALTER num ADD GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE jobs DROP num; ALTER TABLE jobs ADD num integer NOT NULL GENERATED ALWAYS AS (-1) STORED",
    ],
    ids=["identity", "generated"],
)
def test_a_column_that_can_no_longer_be_set_is_refused(run: Run, ddl: str) -> None:
    run.worker.execute("ALTER TABLE jobs ADD num integer NOT NULL DEFAULT 7")
    key, policy = replace(KEY, where="num > 0"), replace(POLICY, assign={"num": -1})
    table, work = before_resolve(run, key, policy, None)
    resolve(run, key, policy, table, work)
    run.worker.execute(ddl)
    with pytest.raises(RestoreError, match="old values cannot be put back") as refused:
        before_restore(run, key, "p1")
    assert "num became GENERATED since" in refused.value.why
    altered = read_table(run.worker, key)
    assert altered is not None
    done = restore(run, key, "p1", altered)  # without the refusal it would still be told
    assert (done.rows, done.kept, len(done.stuck)) == (0, 0, 200)
    assert run.worker.execute("SELECT DISTINCT outcome FROM vaccine.journal").fetchall() == [("restoring",)]


@pytest.mark.every_version
def test_a_primary_key_that_was_widened_is_refused(run: Run) -> None:
    up(run)
    run.worker.execute(
        "ALTER TABLE jobs DROP CONSTRAINT jobs_pkey; ALTER TABLE jobs ADD version int NOT NULL DEFAULT 1;"
        "ALTER TABLE jobs ADD PRIMARY KEY (id, version)"
    )
    with pytest.raises(RestoreError, match="old rows cannot be found") as refused:
        down(run)
    assert "no valid unique index says" in refused.value.why
    run.worker.execute("CREATE UNIQUE INDEX ids ON jobs (id)")
    assert down(run).rows == 200


@pytest.mark.every_version
def test_the_scripts_refuse_the_same(
    server: Server, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(story.TABLE + "ALTER TABLE issues ADD UNIQUE (id, status);")
    follows = (
        "CREATE TABLE child (i int, s text, CONSTRAINT follows FOREIGN KEY (i, s) REFERENCES issues (id, status)"
        " ON UPDATE SET NULL)"
    )
    environment = make_environment(tmp_path, database)
    write_revision(environment, story.KEY, story.POLICY)

    def refused(*command: str) -> str:
        before = connection.execute(story.ROWS).fetchall()
        done = psql(server, database, script_of(environment, *command), "-v", "ON_ERROR_STOP=1")
        assert done.returncode != 0
        assert connection.execute(story.ROWS).fetchall() == before
        return done.stderr

    connection.execute(follows)
    assert "follows of child (ON UPDATE SET NULL) refers to status of issues" in refused("upgrade", "base:head")
    connection.execute("DROP TABLE child")
    environment.alembic("upgrade", "head")
    connection.execute(follows)
    assert "follows of child (ON UPDATE SET NULL) refers to status of issues" in refused("downgrade", "head:base")
    connection.execute(
        "DROP TABLE child; ALTER TABLE issues DROP CONSTRAINT issues_pkey, DROP CONSTRAINT issues_id_status_key"
    )
    connection.execute("ALTER TABLE issues ADD PRIMARY KEY (id, status)")
    assert "the journal knows rows by (id)" in refused("downgrade", "head:base")
    connection.execute("ALTER TABLE issues DROP CONSTRAINT issues_pkey, DROP status, ADD PRIMARY KEY (id)")
    connection.execute("ALTER TABLE issues ADD status text GENERATED ALWAYS AS ('resolved') STORED NOT NULL")
    assert "became GENERATED since" in refused("downgrade", "head:base")
