"""The main job from end to end, with the real commands: there, back and there again, byte for byte."""

import json
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.commands import Shell
from tests.dumps import rows_dump, schema_dump, whole_dump
from vaccine.demo.server import Server

LONG = "ü" * 31 + "x"  # 63 bytes
HOSTILE = [
    # schema, table, key column, lifecycle column, live value
    ('sch"ema', "Ta'ble %s", 'ke"y %', "select", "o'pen"),
    ("MiXed Case", "order", "user", "naïve\ncolumn", 'o"pen %s {x} \\'),
    (LONG, LONG, LONG, "status", "öffen"),
]


def name_of(*parts: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


@pytest.fixture
def shell(tmp_path: Path, database: str) -> Shell:
    made = Shell(tmp_path, database)
    made.vaccine("init")
    return made


@pytest.mark.every_version
def test_the_audits_database_there_and_back(tmp_path: Path, server: Server, audit_database: str) -> None:
    shell = Shell(tmp_path, audit_database)
    shell.vaccine("init")
    before = whole_dump(server, audit_database)
    audit = json.loads(shell.vaccine("audit", "--format", "json").stdout)
    high = [each for each in audit["findings"] if each["priority"] == "high"]
    assert [(each["table"], each["columns"], each["live_excess_rows"]) for each in high] == [
        ("system_issues", ["violation_hash"], 2)
    ]
    planned = shell.vaccine("plan", "-o", "plan.json").stdout
    assert "keep     3896" in planned
    assert "resolve  3994" in planned
    assert "keep     3884" in planned
    assert "resolve  3999" in planned
    lines = planned.splitlines()
    assert len(lines) < 60
    assert [line for line in lines if line != line.rstrip()] == []
    assert whole_dump(server, audit_database) == before
    shell.vaccine("revision", "plan.json")
    assert whole_dump(server, audit_database) == before

    shell.alembic("upgrade", "head")
    after = whole_dump(server, audit_database)
    changed = {table for table, digest in after[1].items() if digest != before[1][table]}
    assert changed == {"public.system_issues"}
    with psycopg.connect(audit_database) as connection:
        rows = connection.execute(
            "SELECT id, status FROM system_issues WHERE id IN (3896, 3994, 3884, 3999) ORDER BY id"
        )
        assert rows.fetchall() == [(3884, "open"), (3896, "open"), (3994, "resolved"), (3999, "resolved")]
    second = shell.vaccine("plan").stdout
    assert "The plan is empty" in second
    again = json.loads(shell.vaccine("audit", "--format", "json").stdout)
    assert not [each for each in again["findings"] if each["priority"] == "high"]

    shell.alembic("downgrade", "base")
    assert whole_dump(server, audit_database) == before
    shell.alembic("upgrade", "head")
    once_more = whole_dump(server, audit_database)
    assert once_more[0] == after[0]
    differ = {table for table, digest in once_more[1].items() if digest != after[1][table]}
    assert differ == {"public.system_issues"}  # resolved_at = now(): another now
    with psycopg.connect(audit_database) as connection:
        query = "SELECT id, status, resolved_at > now() - interval '1 h' FROM system_issues WHERE id IN (3994, 3999)"
        assert sorted(connection.execute(query)) == [(3994, "resolved", True), (3999, "resolved", True)]


@pytest.mark.every_version
@pytest.mark.parametrize("names", HOSTILE, ids=["quotes", "mixed-case-newline", "63-bytes"])
def test_hostile_names_there_and_back(shell: Shell, server: Server, database: str, names: tuple[str, ...]) -> None:
    schema, table, key, lifecycle, live = names
    identifiers = {
        name: sql.Identifier(value) for name, value in zip(("s", "k", "l"), (schema, key, lifecycle), strict=True)
    }
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {s}").format(**identifiers))
        connection.execute(
            sql.SQL("CREATE TABLE {t} (id int PRIMARY KEY, {k} text, {l} text, note text)").format(
                t=sql.Identifier(schema, table), **identifiers
            )
        )
        connection.execute(
            sql.SQL("INSERT INTO {t} SELECT i, 'k' || (i % 7), CASE WHEN i > 14 THEN 'old' ELSE {live} END, 'n' || i"
                    " FROM generate_series(1, 21) AS i").format(t=sql.Identifier(schema, table), live=live)
        )  # fmt: skip
    before = whole_dump(server, database)
    quoted = sql.Identifier(lifecycle).as_string()
    shell.vaccine(
        "plan", name_of(schema, table, key), "--where", f"{quoted} = {sql.Literal(live).as_string()}",
        "--assign", f"{lifecycle}=it's \"done\" %", "--max-rows", "7", "-o", "plan.json",
    )  # fmt: skip
    shell.vaccine("revision", "plan.json")
    shell.alembic("upgrade", "head")
    with psycopg.connect(database) as connection:
        counts = connection.execute(
            sql.SQL("SELECT {l}, count(*) FROM {t} GROUP BY 1 ORDER BY 2, 1").format(
                t=sql.Identifier(schema, table), **identifiers
            )
        ).fetchall()
    assert sorted(counts) == sorted([(live, 7), ('it\'s "done" %', 7), ("old", 7)])
    second = shell.vaccine(
        "plan", name_of(schema, table, key), "--where", f"{quoted} = {sql.Literal(live).as_string()}"
    )
    assert "The plan is empty" in second.stdout
    shell.alembic("downgrade", "base")
    assert whole_dump(server, database) == before
    shell.alembic("upgrade", "head")
    assert whole_dump(server, database) != before


def test_a_script_for_psql_ends_in_the_same_state(shell: Shell, server: Server, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE issues (id int PRIMARY KEY, hash text, status text)")
        connection.execute("INSERT INTO issues SELECT i, 'h' || i % 5, 'open' FROM generate_series(1, 10) AS i")
    before = whole_dump(server, database)
    shell.vaccine("plan", "issues.hash", "--where", "status = 'open'", "--assign", "status=resolved", "-o", "plan.json")
    shell.vaccine("revision", "plan.json")
    script = shell.alembic("upgrade", "head", "--sql").stdout
    (shell.folder / "up.sql").write_text(script)
    (shell.folder / "up.sql").chmod(0o644)
    back = shell.alembic("downgrade", "head:base", "--sql").stdout
    shell.alembic("upgrade", "head")
    online = (schema_dump(server, database), rows_dump(database))
    shell.alembic("downgrade", "base")
    assert whole_dump(server, database) == before
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA vaccine CASCADE")
    psql(server, database, script)
    assert (schema_dump(server, database), rows_dump(database)) == online
    assert "The plan is empty" in shell.vaccine("plan", "issues.hash", "--where", "status = 'open'").stdout
    psql(server, database, back)
    assert whole_dump(server, database) == before


def test_a_name_taken_since_the_plan_is_refused_before_any_row_changes(
    shell: Shell, server: Server, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE issues (id int PRIMARY KEY, hash text, status text)")
        connection.execute("INSERT INTO issues SELECT i, 'h' || i % 5, 'open' FROM generate_series(1, 10) AS i")
        shell.vaccine(
            "plan", "issues.hash", "--where", "status = 'open'", "--assign", "status=resolved", "-o", "plan.json"
        )
        shell.vaccine("revision", "plan.json")
        connection.execute("CREATE TABLE uq_issues_open_hash ()")
    before = whole_dump(server, database)
    done = shell.alembic("upgrade", "head", status=255)
    assert "uq_issues_open_hash" in done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("nothing was changed") == 1
    assert whole_dump(server, database) == before


def test_other_rows_than_the_approved_ones_are_drift(shell: Shell, server: Server, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE issues (id int PRIMARY KEY, hash text, status text)")
        connection.execute("INSERT INTO issues VALUES (1, 'a', 'open'), (2, 'a', 'open'), (3, 'b', 'open')")
        shell.vaccine(
            "plan", "issues.hash", "--where", "status = 'open'", "--assign", "status=resolved", "-o", "plan.json"
        )
        shell.vaccine("revision", "plan.json")
        connection.execute("DELETE FROM issues WHERE id = 2; INSERT INTO issues VALUES (4, 'b', 'open')")
        before = whole_dump(server, database)
        done = shell.alembic("upgrade", "head", status=255)
        assert "1 row would be resolved that the plan did not approve" in done.stdout
        assert "primary key 3 (beside 4)" in done.stdout
        assert whole_dump(server, database) == before
        shell.alembic("-x", "vaccine.drift=accept", "upgrade", "head")
        rows = connection.execute("SELECT id FROM issues WHERE status = 'resolved'").fetchall()
        assert rows == [(3,)]


def test_fewer_rows_than_approved_go_up_down_and_up(shell: Shell, server: Server, database: str) -> None:
    """An editor closed one row of the plan, and the night goes on; a duplicate that the plan never saw does not."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE issues (id int PRIMARY KEY, hash text, status text)")
        connection.execute("INSERT INTO issues SELECT i, 'h' || i % 2, 'open' FROM generate_series(1, 8) AS i")
        shell.vaccine(
            "plan", "issues.hash", "--where", "status = 'open'", "--assign", "status=resolved", "-o", "plan.json"
        )
        connection.execute("UPDATE issues SET status = 'by hand' WHERE id = 4")
        shell.vaccine("revision", "plan.json")
        connection.execute("DELETE FROM issues WHERE id = 1")
        before = whole_dump(server, database)
        status = "SELECT string_agg(id || status, ' ' ORDER BY id) FROM issues"
        for _ in range(2):
            shell.alembic("upgrade", "head")
            (now,) = connection.execute(status).fetchone() or ()
            assert now == "2resolved 3resolved 4by hand 5resolved 6resolved 7open 8open"
            shell.alembic("downgrade", "base")
            assert whole_dump(server, database) == before
        connection.execute("INSERT INTO issues VALUES (9, 'h1', 'open')")
        done = shell.alembic("upgrade", "head", status=255)
        assert "primary key 3 (beside 9), 5 (beside 9), 7 (beside 9)" in done.stdout


def psql(server: Server, url: str, script: str) -> None:
    import subprocess

    done = subprocess.run(
        [str(server.bindir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url],
        input=script, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
