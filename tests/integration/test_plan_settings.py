"""What vaccine.toml and the audit's options say holds for the plan too; two keys of one table are planned together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg

from tests.commands import Shell
from tests.dumps import whole_dump
from vaccine.demo.server import Server

TICKETS = """
CREATE TABLE tickets (id int PRIMARY KEY, code text, email text, status text, seen int);
INSERT INTO tickets VALUES (1, 'c1', 'e1', 'open', 9), (2, 'c1', 'e2', 'open', 8), (3, 'c3', 'e2', 'open', 7),
    (4, 'c4', 'e4', 'open', 6), (5, 'c4', 'e5', 'open', 5), (6, 'c6', 'e5', 'open', 4), (7, 'c7', 'e7', 'open', 3),
    (8, 'c8', 'e7', 'open', 2), (9, 'c9', 'e5', 'open', 1);
"""
SETTINGS = """
[[lifecycle]]
key = "tickets.code"
predicate = "tickets.status = 'open'"
assign = { status = "closed" }
survivor = ["seen DESC"]
name = "one_code"
gate = "always"

[[lifecycle]]
key = "tickets.email"
predicate = "status = 'open'"
assign = { status = { sql = "lower('CLOSED')" } }
survivor = ["seen DESC"]
keep = [[9]]
"""


def planned(shell: Shell) -> list[dict[str, Any]]:
    return list(json.loads((shell.folder / "plan.json").read_text())["vaccinations"])


def test_two_keys_of_one_table_are_planned_and_upgraded_together(
    tmp_path: Path, server: Server, database: str, connection: psycopg.Connection
) -> None:
    """Rows 2 and 5 go for their code; of their e-mail addresses nothing or less is left to resolve then."""
    connection.execute(TICKETS)
    shell = Shell(tmp_path, database)
    (tmp_path / "vaccine.toml").write_text(SETTINGS)
    told = shell.vaccine("plan", "tickets.code", "tickets.email", "-o", "plan.json").stdout
    assert "as they are once one_code of this plan is upgraded" in told
    twice = shell.vaccine("plan", "tickets.code", "public.tickets.code", "--format", "json").stdout
    assert len(json.loads(twice)["vaccinations"]) == 1
    first, second = planned(shell)
    assert first["fingerprint"]["rows"] == [[["1"], ["2"]], [["4"], ["5"]]]
    assert second["fingerprint"]["rows"] == [[["9"], ["6"]], [["7"], ["8"]]]
    assert [each["max_rows"] for each in (first, second)] == [2, 2]
    assert [group["survivor"]["primary_key"] for group in second["groups"]] == [["9"], ["7"]]
    assert (first["index_name"], first["gate"], second["gate"], second["after"]) == (
        "one_code", "always", "auto", ["one_code"]
    )  # fmt: skip
    shell.vaccine("init")
    shell.vaccine("revision", "plan.json")
    before = whole_dump(server, database)
    for _ in range(2):
        shell.alembic("upgrade", "head")
        assert connection.execute("SELECT array_agg(id ORDER BY id) FROM tickets WHERE status = 'open'").fetchone() == (
            [1, 3, 4, 7, 9],
        )
        shell.alembic("downgrade", "base")
        assert whole_dump(server, database) == before


def test_what_is_accepted_or_excluded_is_planned_only_when_it_is_named(tmp_path: Path, audit_database: str) -> None:
    shell = Shell(tmp_path, audit_database)
    accepted = '[[accept]]\nkey = "system_issues.violation_hash"\nreason = "seen to by hand"\n'
    (tmp_path / "mine.toml").write_text(accepted)
    told = shell.vaccine("plan", "--settings", "mine.toml", "-o", "plan.json").stdout
    assert planned(shell) == []
    assert "public.system_issues.violation_hash is accepted in vaccine.toml (seen to by hand)" in " ".join(told.split())
    shell.vaccine("plan", "system_issues.violation_hash", "--settings", "mine.toml", "-o", "plan.json")
    assert [each["table"] for each in planned(shell)] == ["system_issues"]
    told = shell.vaccine("plan", "--exclude", "public.system_issues", "-o", "plan.json").stdout
    assert planned(shell) == []
    assert "ranks no key HIGH" in told


def test_a_plan_goes_to_stdout_and_from_stdin(tmp_path: Path, database: str, connection: psycopg.Connection) -> None:
    connection.execute(TICKETS)
    shell = Shell(tmp_path, database)
    key = ("tickets.code", "--where", "status = 'open'", "--assign", "status=closed")
    done = shell.vaccine("plan", *key, "-o", "-")
    assert json.loads(done.stdout)["vaccinations"][0]["table"] == "tickets"
    assert "CREATE UNIQUE INDEX CONCURRENTLY" in done.stderr
    other = shell.vaccine("plan", *key, "--format", "json")
    assert json.loads(other.stdout)["vaccinations"][0]["table"] == "tickets"
    assert "CREATE UNIQUE INDEX" not in other.stderr
    assert not (tmp_path / "-").exists()
    shell.vaccine("init")
    made = shell.vaccine("revision", "-", given=done.stdout)
    assert Path(made.stdout.strip()).is_file()


def test_a_plan_that_would_refuse_itself_is_refused(
    tmp_path: Path, database: str, connection: psycopg.Connection
) -> None:
    connection.execute(TICKETS)
    shell = Shell(tmp_path, database)
    (tmp_path / "same.toml").write_text(SETTINGS + 'name = "one_code"')
    done = shell.vaccine("plan", "tickets.code", "tickets.email", "--settings", "same.toml", status=2)
    assert "public.tickets.code and public.tickets.email would both get the index one_code" in done.stderr
    key = ("tickets.code", "--where", "status = 'open'", "--assign", "status=closed")
    done = shell.vaccine("plan", *key, "--max-rows", "1", status=2)
    assert "--max-rows 1 is less than the 2 rows that there are to resolve" in done.stderr
