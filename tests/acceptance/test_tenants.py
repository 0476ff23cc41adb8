"""Undo only what is one's own: two tenants with a version table each, one revision between them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import Environment, make_environment, write_revision
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE
from vaccine.demo.server import Server

TENANTS = """
from alembic import context
from vaccine.revision.environment import run_migrations

run_migrations(version_table_schema=context.get_x_argument(as_dictionary=True).get("tenant", "t1"))
"""
INDEXES = "SELECT count(*) FROM pg_class WHERE relname = 'u' AND relkind = 'i'"
SECOND = {**KEY, "columns": ["note_id"], "where": "status = 'open' AND note_id IS NOT NULL"}


def refused(environment: Environment, *arguments: str) -> str:
    done = environment.alembic(*arguments, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 255, said
    assert "[not-ours]" in said
    assert "nothing was changed" in said
    assert "stay resolved" not in said
    return said


def by_script(server: Server, environment: Environment, *arguments: str, why: str) -> None:
    """The script refuses the same; psql goes on behind an error and must not stamp."""
    script = environment.alembic(*arguments, "--sql").stdout
    psql = [str(server.bindir / "psql"), "-X", "-q", "-d", environment.url, "-f", "-"]
    done = subprocess.run(psql, input=script, capture_output=True, text=True, check=False, timeout=60)
    assert why in done.stderr


def state(connection: psycopg.Connection) -> list[object]:
    return [connection.execute(ROWS).fetchall(), connection.execute(INDEXES).fetchall()]


def stamped(connection: psycopg.Connection, schema: str) -> list[tuple[str]]:
    return connection.execute(f"SELECT version_num FROM {schema}.alembic_version").fetchall()


@pytest.fixture
def tenants(database: str, connection: psycopg.Connection, tmp_path: Path) -> Environment:
    connection.execute(TABLE)
    environment = make_environment(tmp_path, database)
    (tmp_path / "migrations/env.py").write_text(TENANTS)
    write_revision(environment, KEY, POLICY, index="u")
    return environment


def test_another_tenants_vaccination_is_left_alone(
    server: Server, tenants: Environment, connection: psycopg.Connection
) -> None:
    before = state(connection)
    tenants.alembic("-x", "tenant=t1", "upgrade", "head")
    after = state(connection)
    said = refused(tenants, "-x", "tenant=t2", "upgrade", "head")
    assert "revision aaaa11112222 did it under the version table t1.alembic_version" in said
    assert "write a revision for the tables of this environment" in said
    assert stamped(connection, "t2") == []
    by_script(server, tenants, "-x", "tenant=t2", "upgrade", "head", why="revision aaaa11112222 did it under")
    assert (state(connection), stamped(connection, "t2")) == (after, [])
    tenants.alembic("-x", "tenant=t2", "stamp", "head")  # or by a version of Vaccine that let it pass
    said = refused(tenants, "-x", "tenant=t2", "downgrade", "base")
    assert state(connection) == after
    down = "-x", "tenant=t2", "downgrade", "aaaa11112222:base"
    by_script(server, tenants, *down, why="revision aaaa11112222 did it under")
    assert (state(connection), stamped(connection, "t2")) == (after, [("aaaa11112222",)])
    assert "`alembic -x tenant=t2 stamp aaaa11112222@base` takes the revision back here" in said
    tenants.alembic("-x", "tenant=t2", "stamp", "aaaa11112222@base")
    assert (stamped(connection, "t1"), stamped(connection, "t2")) == ([("aaaa11112222",)], [])
    tenants.alembic("-x", "tenant=t1", "downgrade", "base")
    assert state(connection) == before
    tenants.alembic("-x", "tenant=t2", "upgrade", "head")  # now it is nobody's
    assert state(connection) == after
    refused(tenants, "-x", "tenant=t1", "upgrade", "head")
    tenants.alembic("-x", "tenant=t2", "downgrade", "base")
    assert state(connection) == before


def test_a_version_table_that_was_renamed_or_copied(tenants: Environment, connection: psycopg.Connection) -> None:
    before = state(connection)
    tenants.alembic("-x", "tenant=t1", "upgrade", "head")
    connection.execute('ALTER SCHEMA t1 RENAME TO "Tenant 1\'s"')
    again = tenants.alembic("-x", "tenant=Tenant 1's", "downgrade", "base").stdout
    assert "the version table of aaaa11112222 was renamed" in again
    assert state(connection) == before
    tenants.alembic("-x", "tenant=Tenant 1's", "upgrade", "head")
    connection.execute('CREATE SCHEMA t3; CREATE TABLE t3.alembic_version AS TABLE "Tenant 1\'s".alembic_version')
    said = refused(tenants, "-x", "tenant=t3", "downgrade", "base")
    way_out = said.partition(", run UPDATE")[2].splitlines()[0]
    assert way_out, said
    connection.execute("UPDATE" + way_out)
    tenants.alembic("-x", "tenant=t3", "downgrade", "base")
    assert state(connection) == before


def test_the_first_of_two_revisions_is_not_undone_under_the_second(
    server: Server, tenants: Environment, connection: psycopg.Connection
) -> None:
    connection.execute("ALTER TABLE issues ADD note_id integer; UPDATE issues SET note_id = id % 2 WHERE id <> 1")
    write_revision(
        tenants, SECOND, {**POLICY, "plan": "second", "max_rows": 9}, index="u2", revision="second", down="aaaa11112222"
    )
    before = state(connection)
    tenants.alembic("upgrade", "head")
    after = state(connection)
    tenants.alembic("stamp", "aaaa11112222")
    said = refused(tenants, "downgrade", "base")
    assert "the later revision second still holds public.issues: index u2" in said
    by_script(server, tenants, "downgrade", "aaaa11112222:base", why="the later revision second still holds")
    assert state(connection) == after
    assert "`alembic stamp second && alembic downgrade aaaa11112222@base` undoes both" in said
    tenants.alembic("stamp", "second")
    tenants.alembic("downgrade", "aaaa11112222@base")
    assert state(connection) == before
