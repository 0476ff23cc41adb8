"""The steps of a script: bounded locks, a refusal that stops all that follows, and a rerun that goes on."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import Environment, make_environment, write_revision
from tests.integration.test_offline import psql, script_of
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE
from vaccine.demo.server import Server
from vaccine.operations.index.gate import Gate
from vaccine.operations.key import Key

INDEXES = "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = 'issues'::regclass ORDER BY 1"
# Alembic makes its own version table so; no script can say it in another way.
BY_DESIGN = ("--exclude=prefer-text-field",)


@pytest.fixture
def environment(database: str, connection: psycopg.Connection, tmp_path: Path) -> Environment:
    connection.execute(TABLE)
    made = make_environment(tmp_path, database)
    write_revision(made, KEY, POLICY, index="u")
    return made


def start(server: Server, url: str, script: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(server.bindir / "psql"), "-X", "-q", "-d", url, "-v", "ON_ERROR_STOP=1", "-f", str(script)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def longest_insert(url: str, seconds: float) -> float:
    """How long the slowest of one INSERT after the other takes."""
    longest, until = 0.0, time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as third:
        number = 1000
        while time.monotonic() < until:
            began, number = time.monotonic(), number + 1
            third.execute("INSERT INTO issues VALUES (%s, 'alone' || %s, 'open')", (number, number))
            longest = max(longest, time.monotonic() - began)
            time.sleep(0.02)
    return longest


def test_nobody_waits_behind_a_script_that_waits_for_an_idle_writer(
    server: Server, database: str, connection: psycopg.Connection, environment: Environment
) -> None:
    before = connection.execute(ROWS).fetchall()
    script = environment.root / "script.sql"
    for tries in (3, 30):
        script.write_text(script_of(environment, "-x", f"vaccine.lock_tries={tries}", "upgrade", "base:head"))
        with psycopg.connect(database, application_name="night batch") as writer:
            writer.execute("UPDATE issues SET note = note WHERE id = 9")
            pid = writer.info.backend_pid
            run = start(server, database, script)
            assert longest_insert(database, 1.5) < 1  # 6.3 s without lock_timeout
            connection.execute("DELETE FROM issues WHERE id > 1000")
            if tries == 3:
                _, errors = run.communicate(timeout=60)
        if tries == 3:
            assert run.returncode == 3
            assert "could not get the locks on public.issues in 3 tries of 200ms each" in errors
            assert f"held by writer pid {pid} (application night batch" in errors
            assert connection.execute("SELECT to_regclass('vaccine.journal')").fetchone() == (None,)
            assert environment.alembic("current").stdout == ""
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors
    assert "resolved 3 rows" in errors
    assert "(head)" in environment.alembic("current").stdout
    down = psql(server, database, script_of(environment, "downgrade", "head:base"), "-v", "ON_ERROR_STOP=1")
    assert down.returncode == 0, down.stderr
    assert connection.execute(ROWS).fetchall() == before


def test_settings_do_not_leak_into_what_follows(
    server: Server, database: str, connection: psycopg.Connection, environment: Environment
) -> None:
    connection.execute(f"ALTER DATABASE {connection.info.dbname} SET lock_timeout = '7s'")
    names = ("search_path", "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "row_security",
             "datestyle", "default_transaction_read_only", "client_connection_check_interval")  # fmt: skip
    show = "\n".join(f"SHOW {name};" for name in names)
    script = f"{show}\n{script_of(environment, 'upgrade', 'base:head')}\n{show}\n"
    script += "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();\n"
    done = psql(server, database, script, "-At", "-v", "ON_ERROR_STOP=1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[: len(names)] == lines[-len(names) - 1 : -1]
    assert lines[1] == "7s"
    assert lines[-1] == "0"
    assert "WARNING" not in done.stderr


@pytest.mark.every_version
def test_nothing_follows_a_step_that_was_refused(
    server: Server, database: str, connection: psycopg.Connection, environment: Environment
) -> None:
    script = script_of(environment, "upgrade", "base:head")
    connection.execute("INSERT INTO issues VALUES (10, 'a', 'open'), (11, 'a', 'open')")
    rows = connection.execute(ROWS).fetchall()
    done = psql(server, database, script)  # psql goes on behind each error
    assert "public.issues is no longer as the plan saw it; nothing was changed" in done.stderr
    assert "5 rows would be resolved, 0 were resolved before; max_rows is 4" in done.stderr
    assert "cannot execute CREATE INDEX in a read-only transaction" in done.stderr
    assert connection.execute(INDEXES).fetchall() == [("issues_pkey", True)]
    assert connection.execute(ROWS).fetchall() == rows
    assert environment.alembic("current").stdout == ""
    twice = psql(server, database, script + script)
    assert "an earlier step of this script failed" in twice.stderr
    connection.execute("DELETE FROM issues WHERE id > 9")
    assert psql(server, database, script, "-v", "ON_ERROR_STOP=1").returncode == 0
    assert "(head)" in environment.alembic("current").stdout


@pytest.mark.every_version
def test_a_script_goes_on_where_a_killed_one_ended(
    server: Server, database: str, connection: psycopg.Connection, environment: Environment
) -> None:
    script = environment.root / "up.sql"
    script.write_text(script_of(environment, "upgrade", "base:head"))
    with psycopg.connect(database) as reader:  # the build waits for its snapshot
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT FROM issues")
        run = start(server, database, script)
        building = "SELECT pid FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for old snapshots'"
        until = time.monotonic() + 30
        while not (found := connection.execute(building).fetchall()):
            assert time.monotonic() < until
            time.sleep(0.05)
        second = psql(server, database, script.read_text(), "-v", "ON_ERROR_STOP=1")
        assert second.returncode == 3
        assert "another run is at work on public.issues" in second.stderr
        assert f"pid {found[0][0]}" in second.stderr
        connection.execute("SELECT pg_terminate_backend(%s)", found[0])
        run.communicate(timeout=60)
        assert run.returncode != 0
    assert connection.execute(INDEXES).fetchall() == [("issues_pkey", True), ("u", False)]
    again = psql(server, database, script.read_text(), "-v", "ON_ERROR_STOP=1")
    assert again.returncode == 0, again.stderr
    assert "the INVALID leftover of an earlier build" in again.stderr
    assert connection.execute(INDEXES).fetchall() == [("issues_pkey", True), ("u", True)]
    assert "(head)" in environment.alembic("current").stdout


def test_a_session_that_changes_and_a_gate_that_stayed_are_refused(
    server: Server, database: str, connection: psycopg.Connection, environment: Environment
) -> None:
    script = script_of(environment, "upgrade", "base:head")
    first, _, rest = script.partition("BEGIN ISOLATION LEVEL")
    assert psql(server, database, first).stderr == ""
    done = psql(server, database, f"BEGIN ISOLATION LEVEL{rest}", "-v", "ON_ERROR_STOP=1")  # as a pooler would
    assert "this script changed its server session half-way" in done.stderr
    connection.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    gate = Gate.of(Key("public", "issues", ("hash",), KEY["where"])).triggers[0]
    connection.execute(f"CREATE TRIGGER {gate} AFTER INSERT ON issues FOR EACH ROW EXECUTE FUNCTION f()")
    done = psql(server, database, script)
    assert "a run that was killed left its gate on public.issues; nothing was changed" in done.stderr
    assert connection.execute("SELECT to_regclass('vaccine.journal')").fetchone() == (None,)


def test_squawk_finds_nothing(environment: Environment) -> None:
    for way in (("upgrade", "base:head"), ("downgrade", "head:base")):
        script = environment.root / f"{way[0]}.sql"
        script.write_text(script_of(environment, *way))
        squawk = Path(sys.executable).parent / "squawk"
        done = subprocess.run([squawk, *BY_DESIGN, script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    script.write_text("DROP INDEX u;")  # it does look
    assert subprocess.run([squawk, *BY_DESIGN, script], capture_output=True, check=False).returncode == 1


def test_a_client_that_hangs_holds_no_lock_for_longer_than_five_seconds(
    server: Server, database: str, connection: psycopg.Connection, environment: Environment
) -> None:
    script = script_of(environment, "upgrade", "base:head")
    before = connection.execute(ROWS).fetchall()
    first, end, _ = script.partition("SET default_transaction_read_only = off;")
    command = [str(server.bindir / "psql"), "-X", "-q", "-d", database]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as hanging:
        assert hanging.stdin is not None
        hanging.stdin.write(first + end)  # all but the COMMIT
        hanging.stdin.flush()
        until = time.monotonic() + 30
        while not connection.execute(
            "SELECT FROM pg_locks WHERE relation = 'issues'::regclass AND mode = 'ShareRowExclusiveLock' AND granted"
        ).fetchall():
            assert time.monotonic() < until
            time.sleep(0.02)
        began = time.monotonic()
        connection.execute("UPDATE issues SET note = note WHERE id = 9")
        assert time.monotonic() - began < 8
        hanging.stdin.close()
    assert connection.execute(ROWS).fetchall() == before
