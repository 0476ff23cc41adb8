"""`alembic … --sql` prints a script; psql runs it to the very state that an online run reaches."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import Environment, make_environment, write_revision
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE
from vaccine.demo.server import Server

JOURNAL = """
SELECT plan, schema_name, table_name, key_columns, predicate, row_count, primary_keys, survivors, outcome, revision,
       restored_count, kept_rows
  FROM vaccine.journal ORDER BY batch
"""


def psql(server: Server, url: str, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(server.bindir / "psql"), "-X", "-q", "-d", url, *options],
        input=script, capture_output=True, text=True, check=False,
    )  # fmt: skip


def script_of(environment: Environment, *arguments: str) -> str:
    return environment.alembic(*arguments, "--sql").stdout


@pytest.mark.every_version
def test_rows_reach_the_state_of_an_online_run(
    server: Server, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE)
    first = connection.execute(ROWS).fetchall()
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY)
    environment.alembic("upgrade", "head")
    online = connection.execute(ROWS).fetchall(), connection.execute(JOURNAL).fetchall()
    environment.alembic("downgrade", "base")
    back = connection.execute(JOURNAL).fetchall()
    connection.execute("DROP SCHEMA vaccine CASCADE")

    up = psql(server, database, script_of(environment, "upgrade", "base:head"), "-v", "ON_ERROR_STOP=1")
    assert up.returncode == 0, up.stderr
    assert (connection.execute(ROWS).fetchall(), connection.execute(JOURNAL).fetchall()) == online
    down = psql(server, database, script_of(environment, "downgrade", "head:base"), "-v", "ON_ERROR_STOP=1")
    assert down.returncode == 0, down.stderr
    assert connection.execute(ROWS).fetchall() == first
    assert connection.execute(JOURNAL).fetchall() == back


@pytest.mark.every_version
def test_a_script_restores_what_an_online_run_resolved(
    server: Server, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE)
    first = connection.execute(ROWS).fetchall()
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY)
    environment.alembic("upgrade", "head")
    assert connection.execute("SELECT shared_columns FROM vaccine.journal").fetchall() == [(["status"],)]
    connection.execute("UPDATE issues SET status = 'ignored' WHERE id = 2; UPDATE issues SET note = '1' WHERE id = 3")
    down = psql(server, database, script_of(environment, "downgrade", "head:base"), "-v", "ON_ERROR_STOP=1")
    assert down.returncode == 0, down.stderr
    edited = {2: (2, "ignored", "null"), 3: (3, "resolved", "1")}
    assert connection.execute(ROWS).fetchall() == [edited.get(row[0], row) for row in first]
    assert connection.execute("SELECT restored_count, kept_rows FROM vaccine.journal").fetchall() == [(1, [1, 2])]


def test_an_index_of_another_definition_under_the_name_is_not_stamped(
    server: Server, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE)
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY, index="u")
    script = script_of(environment, "upgrade", "base:head")
    for other in (
        "(hash) WHERE id < 0",
        "(hash COLLATE \"C\") WHERE status = 'open' AND hash IS NOT NULL",
        "(hash, id)",
    ):
        connection.execute(f"CREATE UNIQUE INDEX u ON issues {other}")
        done = psql(server, database, script)
        assert "the name u is taken by another index of the table" in done.stderr
        assert environment.alembic("current").stdout == ""
        connection.execute("DROP INDEX u")
    up = psql(server, database, script)
    assert up.stderr.count("ERROR") == 0, up.stderr
    assert "(head)" in environment.alembic("current").stdout
