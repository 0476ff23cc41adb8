"""Connections of our own: to the very server, role and search_path of Alembic's, whatever its driver and defaults."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.alembic_env import Environment, make_environment, write_revision
from tests.commands import Shell
from tests.conftest import known_servers
from tests.faults.proxy import Proxy
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE
from tests.runs import snapshot
from vaccine.demo.server import Server

OPEN = "SELECT count(*) FROM issues WHERE status = 'open' AND hash IS NOT NULL"
INDEX = "SELECT indisvalid AND indisready FROM pg_index WHERE indexrelid = 'u'::regclass"


def plain(root: Path, url: str, **options: str) -> Environment:
    """An environment as most projects have it, with the revision of the table of test_restore."""
    environment = make_environment(root, url, transaction_per_migration=False, **options)
    write_revision(environment, KEY, POLICY, index="u")
    return environment


def keeper(connection: psycopg.Connection, *, login: bool = False) -> str:
    """A role that owns the table and may do all that a run needs; `gone` drops it."""
    role = f"keeper {{x}} %s {connection.info.dbname}"
    words = {"role": sql.Identifier(role), "base": sql.Identifier(connection.info.dbname)}
    connection.execute(sql.SQL("CREATE ROLE {role}" + (" LOGIN" if login else "")).format(**words))
    for statement in (
        "GRANT ALL ON DATABASE {base} TO {role}",
        "GRANT ALL ON SCHEMA public TO {role}",
        "ALTER TABLE issues OWNER TO {role}",
    ):
        connection.execute(sql.SQL(statement).format(**words))
    return role


def gone(connection: psycopg.Connection, role: str) -> None:
    for statement in ("REASSIGN OWNED BY {} TO postgres", "DROP OWNED BY {} CASCADE", "DROP ROLE {}"):
        connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


def there_and_back(environment: Environment, connection: psycopg.Connection) -> None:
    before = connection.execute(ROWS).fetchall()
    environment.alembic("upgrade", "head")
    assert connection.execute(OPEN).fetchone() == (3,)
    assert connection.execute(INDEX).fetchone() == (True,)
    environment.alembic("downgrade", "base")
    assert connection.execute(ROWS).fetchall() == before


def test_a_server_that_stops_answering_is_given_up(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE)
    with Proxy(urlsplit(database).port or 0, answered=1) as proxy:
        url = database.replace(f":{urlsplit(database).port}/", f":{proxy.port}/") + "?connect_timeout=2"
        done = plain(tmp_path, url).alembic("upgrade", "head", check=False)
    message = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in message
    assert f"beside Alembic's, to 127.0.0.1:{proxy.port}; nothing more was changed" in message
    assert "timeout" in message
    assert "connect_timeout=SECONDS" in message


OWNERS = """
SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class
 WHERE relname = 'u' OR relnamespace = 'vaccine'::regnamespace AND relname LIKE ANY ('{journal,images%}')
"""


def with_driver(environment: Environment, driver: str) -> None:
    """Let env.py use another driver than psycopg."""
    ini = environment.root / "alembic.ini"
    ini.write_text(ini.read_text().replace("postgresql+psycopg://", f"postgresql+{driver}://"))


@pytest.mark.parametrize(("how", "driver"), [("SET ROLE", "psycopg2"), ("SET SESSION AUTHORIZATION", "psycopg")])
def test_the_role_that_env_py_sets_is_ours_too(
    database: str, connection: psycopg.Connection, tmp_path: Path, how: str, driver: str
) -> None:
    connection.execute(TABLE)
    connection.execute("CREATE SCHEMA vaccine")
    role = keeper(connection)
    connection.execute(sql.SQL("ALTER SCHEMA vaccine OWNER TO {}").format(sql.Identifier(role)))
    try:
        statement = sql.SQL(how + " {}").format(sql.Identifier(role)).as_string(connection).replace("%", "%%")
        environment = plain(
            tmp_path, database, before=f"connection.exec_driver_sql({statement!r}, ()); connection.commit()"
        )
        with_driver(environment, driver)
        environment.alembic("upgrade", "head")
        assert connection.execute(INDEX).fetchone() == (True,)
        assert connection.execute(OWNERS).fetchall() == [(role,)]
        environment.alembic("downgrade", "base")
    finally:
        gone(connection, role)


def test_a_psycopg2_connection_leads_to_the_same_server(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE)
    environment = plain(tmp_path, database)
    with_driver(environment, "psycopg2")
    there_and_back(environment, connection)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_password_is_not_shown_when_our_own_connection_fails(
    database: str, connection: psycopg.Connection, tmp_path: Path, driver: str
) -> None:
    connection.execute(TABLE)
    port = urlsplit(database).port or 0
    with Proxy(port, answered=1) as proxy:
        where = database.replace(f":{port}/", f":{proxy.port}/") + "?connect_timeout=2"
        environment = plain(tmp_path, where.replace("postgres@", "postgres:" + quote("ge heim%'\\", safe="") + "@"))
        with_driver(environment, driver)
        done = environment.alembic("upgrade", "head", check=False)
    assert "nothing more was changed" in done.stdout
    assert "ge heim" not in done.stdout + done.stderr
    assert "ge%20heim" not in done.stdout + done.stderr


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_the_search_path_that_env_py_sets_is_ours_too(
    database: str, connection: psycopg.Connection, tmp_path: Path, driver: str
) -> None:
    connection.execute(TABLE)
    connection.execute(
        'CREATE SCHEMA "App %";'
        "CREATE FUNCTION \"App %\".live(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT $1 = 'open'$$;"
        "CREATE FUNCTION public.live(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT false$$"
    )
    path = """connection.exec_driver_sql('SET search_path = "App %%", public', ()); connection.commit()"""
    environment = make_environment(tmp_path, database, transaction_per_migration=False, before=path)
    with_driver(environment, driver)
    write_revision(environment, {**KEY, "where": "live(status) AND hash IS NOT NULL"}, POLICY, index="u")
    there_and_back(environment, connection)


ODD = {
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "DateStyle": "German",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "search_path": "nowhere, public",
    "enable_seqscan": "off",
    "check_function_bodies": "off",
    "quote_all_identifiers": "on",
    "transform_null_equals": "on",
    "client_encoding": "LATIN1",
    "plan_cache_mode": "force_generic_plan",
    "TimeZone": "Asia/Kathmandu",
    "row_security": "off",
    "temp_buffers": "800kB",
    "work_mem": "64kB",
    "client_min_messages": "error",
}


def test_odd_defaults_of_the_role_do_not_matter(database: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute(TABLE)
    role = keeper(connection, login=True)
    known = {row[0] for row in connection.execute("SELECT name FROM pg_settings")}
    try:
        for name, text in ODD.items():
            if name in known:
                values = sql.SQL(", ").join(map(sql.Literal, text.split(", ")))
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(sql.Identifier(role), sql.Identifier(name), values)
                )
        theirs = database.replace("postgres@", f"{quote(role)}@")
        there_and_back(plain(tmp_path, theirs), connection)
        shell = Shell(tmp_path, theirs)
        assert "restored" in shell.vaccine("journal").stdout
        assert "resolved" in shell.vaccine("journal", "show", "1").stdout
        shell.vaccine("plan", "issues.hash", "--where", "status = 'open'", "--assign", "status=resolved")
    finally:
        gone(connection, role)


def test_alembics_session_outlives_the_roles_idle_timeout(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE)
    environment = plain(
        tmp_path,
        database,
        before="connection.exec_driver_sql(\"SET idle_session_timeout = '1s'\"); connection.commit()",
    )
    with snapshot(database):
        started = environment.start("upgrade", "head")
        until = time.monotonic() + 30
        while connection.execute("SELECT to_regclass('vaccine.journal')").fetchone() == (None,):
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(2.5)
    output, _ = started.communicate(timeout=60)
    assert started.returncode == 0, output
    assert connection.execute(INDEX).fetchone() == (True,)


def test_when_alembics_own_session_is_ended_the_work_is_done_and_said(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE)
    environment = plain(tmp_path, database)
    with snapshot(database):
        started = environment.start("upgrade", "head")
        until = time.monotonic() + 30
        while connection.execute("SELECT count(*) FROM issues WHERE status = 'resolved'").fetchone() == (1,):
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.5)  # it waits for the snapshot now
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND application_name NOT IN ('vaccine', 'report')"
        ).fetchone()
        assert ended == (1,)
    output, _ = started.communicate(timeout=60)
    assert started.returncode != 0
    assert "Alembic's own connection was lost, so aaaa11112222 is not stamped" in output
    assert "Traceback" not in output
    environment.alembic("upgrade", "head")
    assert "(head)" in environment.alembic("current").stdout
    assert connection.execute(INDEX).fetchone() == (True,)


def test_a_server_that_is_not_alembics_is_refused(
    server_pool: Callable[[str], Server], database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """As behind a balancer: the first connection reaches one server, the others another."""
    if "16" not in known_servers():
        pytest.skip("it takes two servers")
    connection.execute(TABLE)
    other = server_pool("16")
    with psycopg.connect(other.url, autocommit=True) as there:
        there.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(connection.info.dbname)))
    port = urlsplit(database).port or 0
    try:
        with Proxy(port, answered=1, others=other.port) as proxy:
            url = database.replace(f":{port}/", f":{proxy.port}/")
            done = plain(tmp_path, url).alembic("upgrade", "head", check=False)
        assert "reached another server than Alembic's; nothing was changed" in done.stdout
    finally:
        with psycopg.connect(other.url, autocommit=True) as there:
            there.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(connection.info.dbname)))
