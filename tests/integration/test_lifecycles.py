"""Which rows are live, inferred on a real server from each kind of evidence, explained, and overruled."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from vaccine.audit.finding import Expression
from vaccine.audit.run import AuditSettings, audit_key

NOW = Expression("now()")
HISTORY = "INSERT INTO t (code, {0}) SELECT 'c' || n, {1} FROM generate_series(1, 40) n;"
TWICE = "INSERT INTO t (code, {0}) VALUES ('c1', {1}), ('c2', {1}), ('c3', {1});"


@dataclass(frozen=True)
class Case:
    """Columns of a table beside its key `code`, live and retired values of one, and what is to be inferred."""

    name: str
    column: str
    declared: str
    live: str
    retired: str
    predicate: str | None
    assign: object
    why: str
    before: str = ""
    after: str = ""


# fmt: off
CASES = [
    Case("a status and its values", "status", "text", "'open'", "'closed'", "status = 'open'", "closed",
         "status has live values (open) and retired ones"),
    Case("a state among more than two", "state", "varchar(20)", "(ARRAY['paid','shipped'])[n % 2 + 1]", "'cancelled'",
         "state <> 'cancelled'", "cancelled", "state has retired values (cancelled); all others are live"),
    Case("a flag that is current", "is_current", "boolean", "true", "false", "is_current", False,
         "is_current says so by its name"),
    Case("a flag that is active", "active", "boolean NOT NULL", "true", "false", "active", False,
         "active says so by its name"),
    Case("deleted_at", "deleted_at", "timestamptz", "NULL", "now()", "deleted_at IS NULL", NOW,
         "deleted_at says so by its name"),
    Case("archived_at", "archived_at", "timestamp", "NULL", "now()", "archived_at IS NULL", NOW,
         "archived_at says so by its name"),
    Case("closed_on, which only history shows", "closed_on", "date", "NULL", "'2026-01-01'", "closed_on IS NULL", NOW,
         "closed_on says so by its name"),
    Case("is_deleted", "is_deleted", "boolean NOT NULL DEFAULT false", "false", "true", "NOT is_deleted", True,
         "is_deleted says so by its name"),
    Case("valid_to", "valid_to", "date", "NULL", "'2026-01-01'", "valid_to IS NULL", NOW,
         "valid_to says so by its name"),
    Case("valid_to with infinity", "valid_to", "timestamptz NOT NULL DEFAULT 'infinity'", "'infinity'", "'2026-01-01'",
         "valid_to = 'infinity'", NOW, "valid_to says so by its name"),
    Case("valid_to that every row has", "valid_to", "date NOT NULL", "'2026-02-02'", "'2026-01-01'", None, None, ""),
    Case("a valid_to that may be NULL, but is not", "valid_to", "date", "'2026-02-02'", "'2026-01-01'", None, None, ""),
    Case("enum labels", "status", "mood", "'running'", "'finished'", "status = 'running'", "finished",
         "status has live values (running) and retired ones",
         before="CREATE TYPE mood AS ENUM ('running', 'finished');"),
    Case("a check constraint's list names the value that retires", "status",
         "text CHECK (status IN ('open', 'closed'))", "'open'", "'open'", "status = 'open'", "closed",
         "index plain of this table is for status = 'open'",
         after="CREATE INDEX plain ON t (id) WHERE status = 'open';"),
    Case("Directus's choices name the value that retires", "status", "text", "'open'", "'open'", "status = 'open'",
         "archived", "public.other guards the same key so (uq_other): status = 'open'",
         before="CREATE TABLE directus_fields (collection text, field text, options json);"
                " INSERT INTO directus_fields VALUES ('t', 'status',"
                """ '{"choices": [{"text": "Open", "value": "open"}, {"text": "Old", "value": "archived"}]}');"""
                " CREATE TABLE other (id int PRIMARY KEY, code text, status text);"
                " CREATE UNIQUE INDEX uq_other ON other (code) WHERE status = 'open';"),
    Case("a plain partial index", "status", "text", "'live'", "'was'", "status = 'live'", "was",
         "index idx_t_live of this table is for status = 'live'",
         after="CREATE INDEX idx_t_live ON t (status) WHERE status = 'live';"),
    Case("a sibling's predicate", "phase", "text", "'a'", "'b'", "phase = 'a'", "b",
         "public.other guards the same key so (uq_other): phase = 'a'",
         before="CREATE TABLE other (id int PRIMARY KEY, code text, phase text);"
                " CREATE UNIQUE INDEX uq_other ON other (code) WHERE phase = 'a';"),
    Case("an INVALID index's predicate", "kind", "text", "'a'", "'b'", "kind = 'a'", None,
         "index uq of this table: kind = 'a'",
         after="CREATE UNIQUE INDEX CONCURRENTLY uq ON t (code) WHERE kind = 'a'"),
    Case("hostile names and values", '"St ""a\'te"', "text", "'open'", "'closed'", None, None, ""),
]
# fmt: on


@pytest.mark.every_version
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_kind_of_evidence(connection: psycopg.Connection, case: Case) -> None:
    connection.execute(case.before.encode())
    connection.execute(f"CREATE TABLE t (id bigserial PRIMARY KEY, code text NOT NULL, {case.column} {case.declared})")
    connection.execute(HISTORY.format(case.column, case.live).encode())
    connection.execute(HISTORY.format(case.column, case.retired).encode())
    connection.execute(TWICE.format(case.column, case.live.replace("n % 2", "0")).encode())
    try:
        connection.execute(case.after.encode())
    except psycopg.errors.UniqueViolation:
        assert "CONCURRENTLY" in case.after
    finding = audit_key(connection, AuditSettings(), ("public", "t"), ("code",))
    assert finding.lifecycle is not None
    assert finding.lifecycle.predicate == case.predicate
    assert [value for _, value in finding.lifecycle.assign] == ([] if case.assign is None else [case.assign])
    assert case.why in finding.lifecycle.reasons or not case.why
    if case.predicate and case.retired != case.live:
        assert finding.live_excess_rows == 3


def _audit(url: str, folder: Path, *arguments: str) -> dict[str, object]:
    command = [
        sys.executable,
        "-m",
        "vaccine",
        "audit",
        "--url",
        url,
        "--format",
        "json",
        "--min-score",
        "0",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    [found] = [finding for finding in json.loads(done.stdout)["findings"] if finding["columns"] == ["code"]]
    return dict(found["lifecycle"], damage=found["live_excess_rows"])


def test_the_command_line_and_both_files_overrule_it(
    connection: psycopg.Connection, database: str, tmp_path: Path
) -> None:
    connection.execute("CREATE TABLE t (id bigserial PRIMARY KEY, code text NOT NULL, status text, deleted_at date)")
    connection.execute("INSERT INTO t (code, status) SELECT 'c' || n % 20, 's' || n % 3 FROM generate_series(1, 30) n")
    assert _audit(database, tmp_path)["predicate"] == "deleted_at IS NULL"
    given = _audit(database, tmp_path, "--where", "t.code", "status = 's1'")
    assert (given["predicate"], given["damage"]) == ("status = 's1'", 0)
    assert given["reasons"] == ["the predicate was given by a person"]
    entry = """[[{0}lifecycle]]\nkey = "public.t.code"\npredicate = "status <> 's2'"\nassign = {{ status = "s2" }}\n"""
    (tmp_path / "pyproject.toml").write_text(entry.format("tool.vaccine."))
    given = _audit(database, tmp_path)
    assert (given["predicate"], given["assign"]) == ("status <> 's2'", {"status": "s2"})
    (tmp_path / "vaccine.toml").write_text(entry.format("").replace("s2", "s0"))
    assert _audit(database, tmp_path)["predicate"] == "status <> 's0'"
    assert _audit(database, tmp_path, "--where", "public.t.code", "")["predicate"] is None
