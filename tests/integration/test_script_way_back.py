"""A script's way back: what was lost, or does not fit any more, is refused while the index still stands."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import Environment, make_environment, write_revision
from tests.integration.test_offline import psql, script_of
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE
from vaccine.demo.server import Server

LOST = "3 rows of public.issues cannot be restored: what it takes is lost; nothing was changed"
UNKNOWN = "which rows of public.issues were resolved is lost; nothing was changed"
UNFIT = "public.issues has changed since, so that old rows do not fit; nothing was changed"
STAMP = "CREATE TABLE vaccine.alembic_version AS SELECT 'aaaa11112222'::varchar(32) AS version_num"
PRUNE = "DELETE FROM vaccine.images_1; UPDATE vaccine.journal SET outcome = 'pruned'"

BROKEN = [
    ("DELETE FROM vaccine.journal", "keep", LOST, "vaccine.journal does not know 3 of them any more"),
    (f"DROP SCHEMA vaccine CASCADE; CREATE SCHEMA vaccine; {STAMP}", "keep", UNKNOWN, "no record of the upgrade aaaa"),
    ("DELETE FROM vaccine.vaccination", "strict", UNKNOWN, "no record of the upgrade aaaa11112222"),
    ("TRUNCATE vaccine.images_1", "strict", LOST, "the images of 3 of 3 rows of batch 1 in vaccine.images_1 are gone"),
    ("DELETE FROM vaccine.images_1 WHERE vaccine_row = 2 AND vaccine_image = 'before'", "keep", "1 rows of public",
     "the images of 1 of 3 rows of batch 1"),
    ("DROP TABLE vaccine.images_1", "keep", LOST, "rows of batch 1 in vaccine.images_1 are gone"),
    (PRUNE, "keep", LOST, "are pruned (`vaccine journal prune`)"),
    ("ALTER TABLE issues DROP COLUMN note", "keep", UNFIT, "column note (json) that the journal holds is gone"),
    ("ALTER TABLE issues DROP CONSTRAINT issues_pkey", "keep", UNFIT, "no valid unique index says"),
    ("ALTER INDEX u RENAME TO mine", "keep", "the index u was renamed to mine", "RENAME TO u, then"),
    ("DROP INDEX u; CREATE INDEX u ON issues (id)", "keep", "the name u is taken in schema public by another relation",
     "it was left alone"),
    ("UPDATE issues SET note = '7' WHERE id = 3", "strict", "1 rows of public.issues were changed or deleted since",
     "primary keys 3;"),
]  # fmt: skip


@pytest.fixture
def environment(database: str, connection: psycopg.Connection, tmp_path: Path) -> Environment:
    connection.execute(TABLE)
    made = make_environment(tmp_path, database)
    write_revision(made, KEY, POLICY, index="u")
    return made


def state(connection: psycopg.Connection) -> tuple[object, ...]:
    valid = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('u')").fetchone()
    stamped = connection.execute("SELECT version_num FROM vaccine.alembic_version").fetchall()
    return valid, stamped, connection.execute("SELECT id, status FROM issues ORDER BY id").fetchall()


def test_what_is_lost_is_refused_while_the_index_stands(
    server: Server, database: str, connection: psycopg.Connection, environment: Environment
) -> None:
    up = script_of(environment, "upgrade", "base:head")
    down = {
        restore: script_of(environment, "-x", f"vaccine.restore={restore}", "downgrade", "head:base")
        for restore in ("keep", "strict")
    }
    for change, restore, told, detail in BROKEN:
        done = psql(server, database, up, "-v", "ON_ERROR_STOP=1")
        assert done.returncode == 0, done.stderr
        connection.execute(change)
        before = state(connection)
        assert before[1] == [("aaaa11112222",)]
        done = psql(server, database, down[restore])  # psql goes on behind each error
        assert told in done.stderr, (change, done.stderr)
        assert detail in done.stderr, (change, done.stderr)
        assert "cannot execute DROP INDEX in a read-only transaction" in done.stderr
        assert "restored" not in done.stderr.replace("cannot be restored", "").replace("vaccine.restore", ""), change
        assert state(connection) == before, change
        connection.execute(f"DROP TABLE issues; DROP SCHEMA vaccine CASCADE; {TABLE}")


@pytest.mark.every_version
def test_there_and_back_and_there_with_rows_that_were_edited(
    server: Server, database: str, connection: psycopg.Connection, environment: Environment
) -> None:
    up = script_of(environment, "upgrade", "base:head")
    down = script_of(environment, "downgrade", "head:base")
    first = connection.execute(ROWS).fetchall()
    for _ in range(2):
        assert psql(server, database, up, "-v", "ON_ERROR_STOP=1").returncode == 0
        done = psql(server, database, down)
        assert "restored 3, kept 0 (edited since), could not go back 0" in done.stderr
        assert "ERROR" not in done.stderr
        assert connection.execute(ROWS).fetchall() == first
    assert psql(server, database, up, "-v", "ON_ERROR_STOP=1").returncode == 0
    connection.execute("UPDATE issues SET note = '7' WHERE id = 3")
    done = psql(server, database, down, "-v", "ON_ERROR_STOP=1")
    assert done.returncode == 0, done.stderr
    assert "left as found, since they were changed or deleted: 3" in done.stderr
    assert "restored 2, kept 1 (edited since), could not go back 0" in done.stderr
    assert connection.execute(ROWS).fetchall() == [(3, "resolved", "7") if row[0] == 3 else row for row in first]


def test_a_trigger_that_keeps_rows_closed_is_told_not_called_restored(
    server: Server, database: str, connection: psycopg.Connection, environment: Environment
) -> None:
    connection.execute("CREATE ROLE keeper LOGIN; GRANT CREATE ON DATABASE " + connection.info.dbname + " TO keeper")
    connection.execute("GRANT ALL ON SCHEMA public TO keeper; ALTER TABLE issues OWNER TO keeper")
    url = database.replace("postgres@", "keeper@")
    assert psql(server, url, script_of(environment, "upgrade", "base:head"), "-v", "ON_ERROR_STOP=1").returncode == 0
    connection.execute(
        "CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF OLD.status = 'resolved' THEN NEW.status := 'resolved'; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER closed BEFORE UPDATE ON issues FOR EACH ROW EXECUTE FUNCTION closed()"
    )
    done = psql(server, url, script_of(environment, "downgrade", "head:base"))
    assert "rows of public.issues could not go back; no row was changed" in done.stderr
    assert connection.execute("SELECT outcome, restored_count FROM vaccine.journal").fetchall() == [("resolved", 0)]
    assert connection.execute("SELECT version_num FROM vaccine.alembic_version").fetchall() == [("aaaa11112222",)]
    connection.execute("DROP TRIGGER closed ON issues")
    again = psql(server, url, script_of(environment, "downgrade", "head:base"), "-v", "ON_ERROR_STOP=1")
    assert again.returncode == 0, again.stderr
    assert "restored 3, kept 0" in again.stderr
    connection.execute("DROP OWNED BY keeper; DROP ROLE keeper")


def test_what_is_left_goes_back_when_told_that_the_rest_is_lost(
    server: Server, database: str, connection: psycopg.Connection, environment: Environment
) -> None:
    up = script_of(environment, "upgrade", "base:head")
    assert psql(server, database, up, "-v", "ON_ERROR_STOP=1").returncode == 0
    connection.execute("DELETE FROM vaccine.images_1 WHERE vaccine_row = 2 AND vaccine_image = 'before'")
    down = script_of(environment, "-x", "vaccine.restore=lost", "downgrade", "head:base")
    done = psql(server, database, down, "-v", "ON_ERROR_STOP=1")
    assert done.returncode == 0, done.stderr
    assert "restored 2, kept 0 (edited since), could not go back 0, lost 1 (their images are gone)" in done.stderr
    closed = "SELECT count(*) FROM issues WHERE status = 'resolved' AND id <> 6"
    assert connection.execute(closed).fetchone() == (1,)
