"""The journal: what it keeps, who may read it, how it follows ALTER TABLE, and `vaccine journal`."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from tests.alembic_env import Environment, make_environment, write_revision
from tests.integration.test_offline import psql, script_of
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE
from vaccine.cli.journal import command
from vaccine.demo.server import Server


@pytest.fixture
def environment(database: str, connection: psycopg.Connection, tmp_path: Path) -> Environment:
    connection.execute(TABLE)
    made = make_environment(tmp_path, database)
    write_revision(made, KEY, POLICY)
    return made


def journal(url: str, *arguments: str, status: int = 0) -> Result:
    done = CliRunner().invoke(command, ["--url", url, *arguments], catch_exceptions=True)
    if status == 0 and done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done


def test_says_what_was_changed_and_restored(environment: Environment, connection: psycopg.Connection) -> None:
    assert "empty" in journal(environment.url).stderr
    environment.alembic("upgrade", "head")
    (batch,) = json.loads(journal(environment.url, "--format", "json").stdout)
    kept = ("plan", "revision", "schema", "table", "columns", "rows", "restored_rows", "outcome")
    assert {name: batch[name] for name in kept} == {
        "plan": "6f1c2e0a", "revision": "aaaa11112222", "schema": "public", "table": "issues", "columns": ["hash"],
        "rows": 3, "restored_rows": 0, "outcome": "resolved",
    }  # fmt: skip
    connection.execute("UPDATE issues SET note = '1' WHERE id = 3")
    environment.alembic("downgrade", "base")
    (batch,) = json.loads(journal(environment.url, "--format", "json").stdout)
    assert (batch["restored_rows"], batch["kept_rows"], batch["outcome"]) == (2, 1, "restored")
    shown = json.loads(journal(environment.url, "show", str(batch["batch"]), "--format", "json").stdout)
    assert [
        (row["primary_key"], row["survivor"], row["column"], row["before"], row["after"], row["outcome"])
        for row in shown
    ] == [
        (["2"], ["1"], "status", "open", "resolved", "restored"),
        (["3"], ["1"], "status", "open", "resolved", "kept its newer values"),
        (["4"], ["5"], "status", "open", "resolved", "restored"),
    ]
    assert "public.issues (hash)" in journal(environment.url).stdout
    assert "kept its newer values" in journal(environment.url, "show", str(batch["batch"])).stdout


def test_nobody_else_may_read_it(environment: Environment, connection: psycopg.Connection) -> None:
    environment.alembic("upgrade", "head")
    connection.execute("DROP ROLE IF EXISTS nosy")
    connection.execute("CREATE ROLE nosy")
    try:
        connection.execute("SET ROLE nosy")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("TABLE vaccine.journal")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("TABLE vaccine.images_1")
    finally:
        connection.execute("RESET ROLE")
        connection.execute("DROP ROLE nosy")


def test_prune_keeps_what_is_not_restored(environment: Environment, connection: psycopg.Connection) -> None:
    environment.alembic("upgrade", "head")
    assert "nothing to prune" in journal(environment.url, "prune", "--yes").stderr
    environment.alembic("downgrade", "base")
    assert "images of 1 batches" in journal(environment.url, "prune", "--yes").stderr
    assert connection.execute("SELECT to_regclass('vaccine.images_1'), count(*) FROM vaccine.journal").fetchone() == (
        None,
        1,
    )
    environment.alembic("upgrade", "head")
    assert journal(environment.url, "prune", "--plan", "6f1c2e0a", status=1)  # nobody answered yes
    assert "NOT be restored" in journal(environment.url, "prune", "--plan", "6f1c2e0a", "--yes").stderr
    refused = environment.alembic("downgrade", "base", check=False)
    assert refused.returncode != 0
    assert "are pruned" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr


def test_a_later_vaccination_follows_the_tables_new_shape(
    environment: Environment, connection: psycopg.Connection
) -> None:
    environment.alembic("upgrade", "head")
    connection.execute("ALTER TABLE issues DROP COLUMN note, ADD COLUMN vaccine_batch integer DEFAULT 7")
    connection.execute("INSERT INTO issues VALUES (20, 'c', 'open', now())")
    before = connection.execute("SELECT * FROM issues ORDER BY id").fetchall()
    write_revision(environment, KEY, {**POLICY, "plan": "later"}, revision="bbbb", down="aaaa11112222")
    environment.alembic("upgrade", "head")
    assert connection.execute("SELECT status FROM issues WHERE id = 9").fetchone() == ("resolved",)
    assert connection.execute("SELECT count(*) FROM vaccine.image_tables").fetchone() == (2,)
    environment.alembic("downgrade", "-1")
    assert connection.execute("SELECT * FROM issues ORDER BY id").fetchall() == before

    refused = environment.alembic("downgrade", "base", check=False)
    assert refused.returncode != 0
    assert "note (json) is gone" in refused.stdout + refused.stderr
    connection.execute("ALTER TABLE issues ADD COLUMN note json")
    environment.alembic("downgrade", "base")  # the rows come back but for those whose note is no longer as it was left
    assert connection.execute("SELECT status FROM issues WHERE id = 4").fetchone() == ("open",)


def test_a_foreign_table_of_that_name_is_left_alone(environment: Environment, connection: psycopg.Connection) -> None:
    connection.execute("CREATE SCHEMA vaccine; CREATE TABLE vaccine.journal (dose integer)")
    before = connection.execute(ROWS).fetchall()
    refused = environment.alembic("upgrade", "head", check=False)
    assert refused.returncode != 0
    assert "vaccine.journal is not Vaccine's" in refused.stdout + refused.stderr
    assert connection.execute(ROWS).fetchall() == before


OLDER = "ALTER TABLE vaccine.journal DROP shared_columns, DROP left_at"


@pytest.mark.every_version
@pytest.mark.parametrize("way", ["online", "script"])
def test_a_journal_of_an_older_build_is_restored_and_completed(
    environment: Environment, connection: psycopg.Connection, server: Server, way: str
) -> None:
    first = connection.execute(ROWS).fetchall()
    connection.execute("CREATE RULE nothing AS ON UPDATE TO issues DO ALSO SELECT 1")  # so that each row has its images
    environment.alembic("upgrade", "head")
    connection.execute(f"DROP RULE nothing ON issues; {OLDER}")
    (batch,) = json.loads(journal(environment.url, "--format", "json").stdout)
    shown = json.loads(journal(environment.url, "show", str(batch["batch"]), "--format", "json").stdout)
    assert [row["after"] for row in shown] == ["resolved"] * 3
    if way == "online":
        environment.alembic("downgrade", "base")
    else:
        down = psql(server, environment.url, script_of(environment, "downgrade", "head:base"), "-v", "ON_ERROR_STOP=1")
        assert down.returncode == 0, down.stderr
    assert connection.execute(ROWS).fetchall() == first
    connection.execute(OLDER)
    environment.alembic("upgrade", "head")
    last = "SELECT shared_columns FROM vaccine.journal ORDER BY batch DESC LIMIT 1"
    assert connection.execute(last).fetchone() == (["status"],)
