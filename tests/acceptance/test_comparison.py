"""What docs/comparison.md says of a hand-written revision and of ours, under the same fault, as it happens."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import Environment, make_environment, write_revision
from tests.runs import indexes, snapshot

INDEX = "uq_issues_open_hash"
WHERE = "status = 'open' AND hash IS NOT NULL"
KEY = {"schema": "public", "table": "issues", "columns": ["hash"], "where": WHERE}
POLICY = {"survivor": ["id DESC"], "assign": {"status": "resolved"}, "keep": [], "max_rows": 10, "plan": "6f1c2e0a"}

# As Alembic's and PostgreSQL's manuals have it, with the lock_timeout that every guide asks for.
BY_HAND = '''
    op.execute("SET lock_timeout = '1s'")
    op.execute("""UPDATE issues AS a SET status = 'resolved' WHERE status = 'open' AND EXISTS (
        SELECT FROM issues AS b WHERE b.hash = a.hash AND b.status = 'open' AND b.id > a.id)""")
    with op.get_context().autocommit_block():
        op.create_index("uq_issues_open_hash", "issues", ["hash"], unique=True,
                        postgresql_where="status = 'open' AND hash IS NOT NULL",
                        postgresql_concurrently=True, if_not_exists=True)
'''
DOWN_BY_HAND = '    op.drop_index("uq_issues_open_hash", "issues", postgresql_concurrently=True)'
UPSERT = f"INSERT INTO issues (hash) VALUES ('a') ON CONFLICT (hash) WHERE {WHERE} DO NOTHING"


@pytest.fixture
def table(connection: psycopg.Connection) -> psycopg.Connection:
    connection.execute(
        "CREATE TABLE issues (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, hash text, "
        "status text NOT NULL DEFAULT 'open')"
    )
    connection.execute("INSERT INTO issues (hash) VALUES ('a'), ('a'), ('b')")
    return connection


def stamped(connection: psycopg.Connection, schema: str) -> bool:
    found = connection.execute(f"SELECT count(*) FROM {schema}.alembic_version").fetchone()
    return found == (1,)


def by_hand(tmp_path: Path, database: str) -> Environment:
    environment = make_environment(tmp_path, database, transaction_per_migration=True)
    write_revision(environment, KEY, POLICY, index=INDEX, upgrade=BY_HAND, downgrade=DOWN_BY_HAND)
    return environment


@pytest.mark.every_version
def test_by_hand_the_second_run_stamps_an_invalid_index(
    database: str, table: psycopg.Connection, tmp_path: Path
) -> None:
    environment = by_hand(tmp_path, database)
    with snapshot(database):
        first = environment.alembic("upgrade", "head", check=False)
    assert first.returncode != 0
    assert "lock timeout" in first.stderr
    assert environment.alembic("upgrade", "head").returncode == 0
    assert stamped(table, "public")
    assert indexes(table) == {INDEX: False}
    with pytest.raises(psycopg.errors.InvalidColumnReference):  # 42P10: an INVALID index is no arbiter
        table.execute(UPSERT)


@pytest.mark.every_version
def test_by_hand_a_duplicate_in_between_ends_stamped_and_guards_nothing(
    database: str, table: psycopg.Connection, tmp_path: Path
) -> None:
    environment = by_hand(tmp_path, database)
    table.execute(
        "CREATE FUNCTION race() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN INSERT INTO issues (hash) VALUES ('a'); RETURN NULL; END$$;"
        "CREATE TRIGGER race AFTER UPDATE ON issues FOR EACH STATEMENT EXECUTE FUNCTION race()"
    )  # the writer that comes between the UPDATE and the index
    assert environment.alembic("upgrade", "head", check=False).returncode != 0
    assert environment.alembic("upgrade", "head").returncode == 0
    assert stamped(table, "public")
    assert indexes(table) == {INDEX: False}
    table.execute("INSERT INTO issues (hash) VALUES ('b')")
    assert table.execute("SELECT count(*) FROM issues WHERE hash = 'b' AND status = 'open'").fetchone() == (2,)


@pytest.mark.every_version
def test_ours_leaves_nothing_invalid_and_stamps_a_valid_one(
    database: str, table: psycopg.Connection, tmp_path: Path
) -> None:
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY, index=INDEX)
    with snapshot(database) as old:
        first = environment.alembic("-x", "vaccine.wait_s=1", "upgrade", "head", check=False)
        pid = old.info.backend_pid
    assert first.returncode != 0
    assert f"pid {pid} (application report" in first.stdout + first.stderr
    assert indexes(table) == {}
    assert not stamped(table, "vaccine")
    environment.alembic("upgrade", "head")
    assert stamped(table, "vaccine")
    assert indexes(table) == {INDEX: True}
    table.execute(UPSERT)
    assert table.execute("SELECT count(*) FROM issues WHERE hash = 'a' AND status = 'open'").fetchone() == (1,)
