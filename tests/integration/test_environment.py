"""The environment's env.py: the one that users have already, and what PostgreSQL refuses Alembic itself, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import Environment, make_environment, write_revision
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE
from vaccine.demo.server import Server

FIRST = Path(__file__).parents[1] / "environments" / "first.py.txt"
# The backend dies in the COMMIT of a stamp or an unstamp.
DYING = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER die AFTER INSERT OR DELETE ON vaccine.alembic_version DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION die();
"""
STAMPED = "SELECT version_num FROM vaccine.alembic_version"
REFUSING = """
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF session_user <> 'postgres' THEN RAISE EXCEPTION 'ask the DBAs first' USING HINT = 'room 4'; END IF;
END $$;
CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ({}) EXECUTE FUNCTION refuse();
"""


def test_the_first_env_py_works_as_before(database: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute(TABLE)
    before = connection.execute(ROWS).fetchall()
    environment = make_environment(tmp_path, database)
    (tmp_path / "migrations/env.py").write_bytes(FIRST.read_bytes())
    write_revision(environment, KEY, POLICY, index="u")
    for _ in range(2):
        environment.alembic("upgrade", "head")
        assert connection.execute(STAMPED).fetchall() == [("aaaa11112222",)]
        environment.alembic("downgrade", "base")
        assert connection.execute(ROWS).fetchall() == before
    assert "CREATE SCHEMA IF NOT EXISTS vaccine" in environment.alembic("upgrade", "head", "--sql").stdout


def words(environment: Environment, *arguments: str) -> str:
    done = environment.alembic(*arguments, check=False)
    message = done.stdout + done.stderr
    assert done.returncode == 255
    assert "Traceback" not in message
    assert "\n  why: " in message
    assert "\n  fix: " in message
    return message


@pytest.fixture
def weak(server: Server, database: str, connection: psycopg.Connection, tmp_path: Path) -> Iterator[Environment]:
    """The environment of a role that owns its table, and nothing else."""
    role = f"weak_{connection.info.dbname}"
    connection.execute(TABLE + f"CREATE ROLE {role} LOGIN; ALTER TABLE issues OWNER TO {role}")
    connection.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    environment = make_environment(tmp_path, server.url_of(connection.info.dbname, role))
    write_revision(environment, KEY, POLICY, index="u")
    yield environment
    connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_a_refused_schema_is_said(connection: psycopg.Connection, weak: Environment) -> None:
    role, name = f"weak_{connection.info.dbname}", connection.info.dbname
    assert "[permission]" in (no_right := words(weak, "upgrade", "head"))
    assert f'CREATE SCHEMA "vaccine" AUTHORIZATION "{role}"' in no_right
    assert weak.alembic("current").stdout == ""  # makes nothing, needs nothing
    connection.execute(f"GRANT CREATE ON DATABASE {name} TO {role}")
    connection.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
    assert "default_transaction_read_only is on" in words(weak, "upgrade", "head")
    connection.execute(f"ALTER ROLE {role} RESET default_transaction_read_only")
    connection.execute(REFUSING.format("'CREATE SCHEMA'"))
    assert "the schema vaccine cannot be made" in (refused := words(weak, "upgrade", "head"))
    assert "ask the DBAs first" in refused
    connection.execute("DROP EVENT TRIGGER refuse; DROP FUNCTION refuse")
    connection.execute(REFUSING.format("'CREATE TABLE'"))
    refused = words(weak, "upgrade", "head")
    assert 'Alembic\'s version table "vaccine"."alembic_version" cannot be made; nothing was changed' in refused
    connection.execute("DROP EVENT TRIGGER refuse; DROP FUNCTION refuse")
    weak.alembic("current")
    connection.execute("CREATE SCHEMA IF NOT EXISTS vaccine")
    connection.execute("CREATE TABLE vaccine.alembic_version (version_num varchar(32) PRIMARY KEY)")
    connection.execute(
        f"GRANT USAGE, CREATE ON SCHEMA vaccine TO {role}; GRANT SELECT ON vaccine.alembic_version TO {role}"
    )
    before = connection.execute(ROWS).fetchall()
    refused = words(weak, "upgrade", "head")
    assert "this role lacks INSERT, UPDATE, DELETE on the version table vaccine.alembic_version" in refused
    assert connection.execute(ROWS).fetchall() == before
    connection.execute(re.search(r"fix: (GRANT .*), then", refused)[1])  # type: ignore[index]
    weak.alembic("upgrade", "head")
    connection.execute("CREATE RULE none AS ON DELETE TO vaccine.alembic_version DO INSTEAD SELECT 1 / 0")
    assert 'Alembic\'s version table "vaccine"."alembic_version" cannot be written' in words(weak, "downgrade", "base")
    connection.execute("DROP RULE none ON vaccine.alembic_version")
    weak.alembic("downgrade", "base")


def test_a_lost_stamp_is_said_and_made_good(database: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute(TABLE)
    before = connection.execute(ROWS).fetchall()
    environment = make_environment(tmp_path, database)
    connection.execute("CREATE SCHEMA vaccine CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    write_revision(environment, KEY, POLICY, index="u")
    for arguments, stamp in ((("upgrade", "head"), [("aaaa11112222",)]), (("downgrade", "base"), [])):
        was = connection.execute(STAMPED).fetchall()
        connection.execute(DYING)
        lost = words(environment, *arguments)
        assert "cannot be told from here" in lost
        connection.execute("DROP FUNCTION die CASCADE")
        assert connection.execute(STAMPED).fetchall() == was
        environment.alembic(*arguments)
        assert connection.execute(STAMPED).fetchall() == stamp
    assert connection.execute(ROWS).fetchall() == before
