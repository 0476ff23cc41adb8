"""SQL of people and files: one expression, or refused; nothing that it says beside that is run."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.commands import Shell
from vaccine.catalog.expression import order_text, predicate_text, value_text
from vaccine.connect import connect, read_only
from vaccine.errors import PredicateError

TABLE = """
CREATE EXTENSION citext;
CREATE TABLE issues (id int PRIMARY KEY, hash text, status text, "a ""b" int, code citext);
INSERT INTO issues SELECT n, n % 3, CASE WHEN n < 6 THEN 'open' ELSE 'closed' END, n, 'X' || n
  FROM generate_series(1, 9) AS n
"""
ISSUES = ("public", "issues")
ESCAPES = [
    "status = 'open') OR (TRUE",
    "status = 'open'); COMMIT; CREATE TABLE stolen (); SELECT (1",
    "TRUE LIMIT 1",
    "TRUE GROUP BY 1 HAVING TRUE",
    "TRUE FOR UPDATE",
    "TRUE; COMMIT",
    "TRUE /* ",
    "TRUE) -- ",
    "TRUE)/*",
    "TRUE*/",
    "TRUE, FALSE",
    "status = $1",
    "status = 'open",
    'status = "open',
    "status = $$open",
    "EXISTS (SELECT 1)",
    "id IN (VALUES (1))",
    "id = ANY (TABLE issues)",
    "U&'\\0061' = status",
    "status = 'a\0'",
    "status = '\udcff'",
    "",
    "  ",
    "count(*) > 1",
    "row_number() OVER () = 1",
    "generate_series(1, 2) = 1",
    "status",
    "no_such = 1",
    "TRUE AND (" * 5000,
]
GOOD = {
    "status = 'open' -- only these": "status = 'open'",
    "/* a /* b */ */ status = $q$it's; (--$q$": "status = $q$it's; (--$q$",
    "(status = ')') OR (id = 1)": "(status = ')') OR (id = 1)",
    "\"a \"\"b\" > 1\n AND status IN ('a', E'\\'; --')": "\"a \"\"b\" > 1 AND status IN ('a', E'\\'; --')",
    "status = 'o'\n'pen'": "status = 'o'\n'pen'",
    "issues.status = 'open'": "issues.status = 'open'",
}


@pytest.fixture
def shell(connection: psycopg.Connection, database: str, tmp_path: Path) -> Shell:
    connection.execute(TABLE.encode())
    return Shell(tmp_path, database)


def relations(connection: psycopg.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND oid >= 16384")}


def test_a_text_is_one_expression_or_refused(shell: Shell, connection: psycopg.Connection) -> None:
    before = relations(connection)
    with read_only(shell.url) as reading:
        for text in ESCAPES:
            with pytest.raises(PredicateError, match="predicate"):
                predicate_text(reading, ISSUES, text)
            with pytest.raises(PredicateError):
                order_text(
                    reading, ISSUES, f"id DESC, {text}" if text in {"status", "TRUE, FALSE"} else f"({text} DESC"
                )
            if text not in {"status", "EXISTS (SELECT 1)", "id IN (VALUES (1))", "id = ANY (TABLE issues)"}:
                with pytest.raises(PredicateError):
                    value_text(reading, ISSUES, text)
        for text, plain in GOOD.items():
            assert predicate_text(reading, ISSUES, text) == plain
            reading.execute(f"SELECT FROM public.issues WHERE ({plain}) AND TRUE".encode())
        assert order_text(reading, ISSUES, "id DESC /* newest */ NULLS LAST -- x") == "id DESC NULLS LAST"
        assert value_text(reading, ISSUES, "now() -- then") == "now()"
        assert reading.execute("SELECT 1").fetchone() == (1,)  # a refusal left the transaction whole
    assert relations(connection) == before


def test_a_second_statement_is_refused_whoever_composed_it(shell: Shell) -> None:
    with connect(shell.url) as connection, pytest.raises(psycopg.errors.SyntaxError, match="multiple commands"):
        connection.execute("SELECT 1; SELECT 2")


@pytest.mark.parametrize("text", ESCAPES[:2])
def test_no_way_to_give_it_runs_it(shell: Shell, connection: psycopg.Connection, text: str) -> None:
    before = relations(connection)
    toml = f"[[lifecycle]]\nkey = 'public.issues.hash'\npredicate = \"{text}\"\n"
    (shell.folder / "vaccine.toml").write_text(toml)
    refused = [shell.vaccine("audit", status=2), shell.vaccine("check", status=2)]
    (shell.folder / "vaccine.toml").unlink()
    good = ("issues.hash", "--where", "status = 'open'", "--assign", "status=closed")
    refused += [
        shell.vaccine("audit", "--where", "issues.hash", text, status=2),
        shell.vaccine("plan", "issues.hash", "--where", text, status=2),
        shell.vaccine("plan", *good, "--survivor", text, status=2),
        shell.vaccine("plan", *good[:3], "--assign", f"status=sql:{text}", status=2),
    ]
    shell.vaccine("plan", *good, "-o", "plan.json")
    document = json.loads((shell.folder / "plan.json").read_text())
    document["vaccinations"][0]["where"] = text
    body = {name: value for name, value in document.items() if name not in {"vaccine_plan", "id", "digest"}}
    from vaccine.plan.file import _digest

    document["digest"] = _digest(body)
    document["id"] = document["digest"][:8]
    (shell.folder / "plan.json").write_text(json.dumps(document))
    shell.vaccine("init")
    refused.append(shell.vaccine("revision", "plan.json", status=2))
    for each in refused:
        assert "[predicate]" in each.stderr, each.stderr
    assert relations(connection) == before
    assert not list((shell.folder / "migrations/versions").glob("*.py"))
