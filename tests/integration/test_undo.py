"""`vaccine undo --check`: what a downgrade would do, asked without changing anything."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
from click.testing import CliRunner

from tests.alembic_env import make_environment, write_revision
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE
from vaccine.cli.undo import command

REVISION = "aaaa11112222"


def undo(url: str, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(command, ["--url", url, "--check", *arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.stdout, done.stderr


def test_it_says_what_the_downgrade_then_does(database: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute(TABLE)
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY, index="u")
    status, _, said = undo(database, REVISION)
    assert (status, "there is no record of an upgrade" in said) == (1, True)
    assert undo(database)[0] == 0
    environment.alembic("upgrade", "head")
    status, told, _ = undo(database)
    assert (status, "3 of 3 rows would come back" in told) == (0, True)
    assert "public.issues (hash), index u, stamped in vaccine.alembic_version" in told
    connection.execute(
        "UPDATE issues SET note = '1' WHERE id = 2;"
        "ALTER TABLE issues ADD CONSTRAINT c CHECK (status <> 'open' OR id <> 3) NOT VALID"
    )
    before = connection.execute(ROWS).fetchall()
    status, told, _ = undo(database, REVISION, "--format", "json")
    (report,) = json.loads(told)
    assert (status, report["back"], report["fine"]) == (1, 1, False)
    assert (report["kept"]["rows"], report["kept"]["keys"]) == (1, ["2"])
    assert [(each["why"], each["keys"]) for each in report["refused"]] == [("the check constraint c refuses it", ["3"])]
    assert connection.execute(ROWS).fetchall() == before
    down = environment.alembic("-x", "vaccine.restore=partial", "downgrade", "base").stdout
    assert down.strip().splitlines()[-1] == "restored 1, kept 1 (edited since), could not go back 1"
    environment.alembic("upgrade", "head")
    connection.execute("ALTER TABLE issues ADD stamped int; ALTER INDEX u RENAME TO w; DELETE FROM vaccine.images_1")
    connection.execute("ALTER TABLE issues ALTER note TYPE text")
    status, told, _ = undo(database)
    assert status == 1
    assert "0 of 1 rows would come back" in told
    assert "are gone (batch" in told
    assert "note was json, now text" in told
    assert "note: index u is called w now" in told
