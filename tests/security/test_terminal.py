"""Whatever a table, a column, a trigger or a value is called: no command sends a terminal anything but text."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.commands import Shell

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp\u2066\u200b\r"
TABLE = sql.Identifier(f"issues {EVIL}")
HASH = sql.Identifier("code")


@pytest.fixture
def shell(database: str, connection: psycopg.Connection, tmp_path: Path) -> Shell:
    connection.execute(
        sql.SQL("CREATE TABLE {} (id integer PRIMARY KEY, {} text, status text, body text)").format(TABLE, HASH)
    )
    row = sql.SQL("INSERT INTO {} VALUES (%s, %s, 'open', %s)").format(TABLE)
    for number in range(60):
        connection.execute(row, (number, f"{number % 58:032x}{EVIL}", "y" * (10_000_000 if number < 2 else 10)))
    connection.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    connection.execute(
        sql.SQL("CREATE TRIGGER {} BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION f()").format(
            sql.Identifier(f"t {EVIL}"), TABLE
        )
    )
    shell = Shell(tmp_path, database)
    shell.vaccine("init")
    return shell


def test_no_command_sends_more_than_text(shell: Shell) -> None:
    key = '"public"."' + f"issues {EVIL}" + '"."code"'
    said = [shell.vaccine("audit", "--all"), shell.vaccine("plan", f"{key}x", "-o", "no.json", status=2)]
    options = ("--where", "status = 'open'", "--assign", "status=resolved", "-o", "plan.json")
    planned, written = shell.vaccine("plan", key, *options), shell.vaccine("revision", "plan.json")
    running, journalled = shell.alembic("upgrade", "head"), shell.vaccine("journal")
    said += [planned, written, running, journalled, shell.vaccine("journal", "show", "1")]
    said.append(shell.vaccine("journal", "--format", "json"))
    said.append(shell.alembic("-x", "vaccine.restore=strict", "downgrade", "base"))
    texts = [done.stdout + done.stderr for done in said] + [(shell.folder / "plan.json").read_text(encoding="utf-8")]
    for number, text in enumerate(texts):
        raw = [line for line in text.split("\n") if not line.isprintable()]
        assert not raw, (number, ascii(raw[0]))
        assert len(text) < 400_000
    for one in (planned, running, journalled):
        assert "issues \\x1b]0;owned" in one.stdout + one.stderr


def test_a_url_in_the_wrong_place_loses_its_password(tmp_path: Path) -> None:
    shell = Shell(tmp_path, "postgresql://127.0.0.1:1/none")
    url = "postgresql://me:x@geheim@db/app"
    for words in (["audit", url], ["plan", url], ["revision", url], ["audit", f"--ulr={url}"], ["audit", "--url", url],
                  ["check", f"--format={url}"], ["journal", url], ["plan", "t.c", "--assign", url]):  # fmt: skip
        done = shell.run("vaccine", *words, status=2)
        assert "geheim" not in done.stdout + done.stderr
