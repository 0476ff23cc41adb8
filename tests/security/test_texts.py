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
    "pg_read_file('/etc/hostname') = status",
    "pg_catalog.pg_ls_dir('.') = status",
    "random() < 1",
    "query_to_xml('COPY (SELECT 1) TO PROGRAM ''touch /tmp/x''', true, true, '') IS NULL",
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
            if text not in {
                "status",
                "EXISTS (SELECT 1)",
                "id IN (VALUES (1))",
                "id = ANY (TABLE issues)",
                "random() < 1",
            }:
                with pytest.raises(PredicateError):
                    value_text(reading, ISSUES, text)
        for text, plain in GOOD.items():
            assert predicate_text(reading, ISSUES, text) == plain
            reading.execute(f"SELECT FROM public.issues WHERE ({plain}) AND TRUE".encode())
        assert order_text(reading, ISSUES, "id DESC /* newest */ NULLS LAST -- x") == "id DESC NULLS LAST"
        assert value_text(reading, ISSUES, "now() -- then") == "now()"
        assert reading.execute("SELECT 1").fetchone() == (1,)  # a refusal left the transaction whole
    assert relations(connection) == before


def test_every_transaction_is_pinned_whatever_the_database_says(
    shell: Shell, connection: psycopg.Connection, database: str
) -> None:
    name = database.rpartition("/")[2]
    for setting in ("search_path = public", "lock_timeout = 0", "statement_timeout = 0", "row_security = on"):
        connection.execute(f"ALTER DATABASE {name} SET {setting}".encode())
    connection.execute(f"ALTER DATABASE {name} SET standard_conforming_strings = off".encode())
    wanted = {
        "search_path": "pg_catalog, pg_temp",
        "lock_timeout": "5s",
        "statement_timeout": "10min",
        "row_security": "off",
        "standard_conforming_strings": "on",
        "transaction_read_only": "on",
    }
    with read_only(database) as reading:
        assert {of: reading.execute(f"SHOW {of}".encode()).fetchone() for of in wanted} == {
            of: (value,) for of, value in wanted.items()
        }
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reading.execute("CREATE TABLE public.x ()")


def test_a_second_statement_is_refused_whoever_composed_it(shell: Shell) -> None:
    with connect(shell.url) as connection, pytest.raises(psycopg.errors.SyntaxError, match="multiple commands"):
        connection.execute("SELECT 1; SELECT 2")


def test_no_way_to_give_it_runs_it(shell: Shell, connection: psycopg.Connection) -> None:
    text = ESCAPES[1]
    before = relations(connection)
    toml = f"[[lifecycle]]\nkey = 'public.issues.hash'\npredicate = \"{text}\"\n"
    (shell.folder / "vaccine.toml").write_text(toml)
    refused = [shell.quickly("audit"), shell.quickly("check")]
    (shell.folder / "vaccine.toml").unlink()
    good = ("issues.hash", "--where", "status = 'open'", "--assign", "status=closed")
    refused += [
        shell.quickly("audit", "--where", "issues.hash", text),
        shell.quickly("plan", "issues.hash", "--where", text),
        shell.quickly("plan", *good, "--survivor", text),
        shell.quickly("plan", *good[:3], "--assign", f"status=sql:{text}"),
    ]
    shell.quickly("plan", *good, "-o", "plan.json")
    document = json.loads((shell.folder / "plan.json").read_text())
    document["vaccinations"][0]["where"] = text
    body = {name: value for name, value in document.items() if name not in {"vaccine_plan", "id", "digest"}}
    from vaccine.plan.file import _digest

    document["digest"] = _digest(body)
    document["id"] = document["digest"][:8]
    (shell.folder / "plan.json").write_text(json.dumps(document))
    shell.quickly("init")
    refused.append(shell.quickly("revision", "plan.json"))
    for each in refused:
        assert isinstance(each.exception, PredicateError), each.output
    assert relations(connection) == before
    assert not list((shell.folder / "migrations/versions").glob("*.py"))


WORDS = """
CREATE EXTENSION citext;
CREATE SCHEMA app;
CREATE TYPE app.state AS ENUM ('open', 'closed');
CREATE FUNCTION app.alive(app.state) RETURNS boolean IMMUTABLE LANGUAGE sql RETURN $1 = 'open';
CREATE TABLE app.tasks (id int PRIMARY KEY, code citext, status app.state);
INSERT INTO app.tasks VALUES (1, 'a', 'open'), (2, 'A', 'open'), (3, 'b', 'open'), (4, 'B', 'closed'),
  (5, 'a', 'closed')
"""


def test_names_of_other_schemas_mean_what_they_meant(
    connection: psycopg.Connection, database: str, tmp_path: Path
) -> None:
    """citext's operators, an enum and a function of the table's schema, without a schema before any."""
    connection.execute(WORDS.encode())
    shell = Shell(tmp_path, database)
    cases = {
        "code = 'A' OR code = 'B'": (2, "code = 'A' OR code = 'B'"),
        "code IN ('A') AND status = 'open'::state": (1, "code IN ('A') AND status = 'open'::app.state"),
        "alive(status)": (1, "app.alive(status)"),
        "status = CAST('open' AS state) AND lower(code) <> 'x'": (
            1,
            "status = CAST('open' AS app.state) AND lower(code) <> 'x'",
        ),
        "status = state 'open'": (1, "status = app.state 'open'"),
        "status = 'open' AND citext(code::text) > 'A'": (0, "status = 'open' AND public.citext(code::text) > 'A'"),
    }
    for where, (groups, kept) in cases.items():
        shell.quickly("plan", "app.tasks.code", "--where", where, "--assign", "status=closed", "-o", "plan.json")
        [planned] = json.loads((tmp_path / "plan.json").read_text())["vaccinations"]
        assert (planned["fingerprint"]["groups"], planned["where"]) == (groups, kept), where
        shell.quickly("plan", "app.tasks.code", "--where", planned["where"], "--assign", "status=closed")
    audited = json.loads(shell.quickly("audit", "--where", "app.tasks.code", "code = 'A'", "--format", "json").stdout)
    [found] = [each for each in audited["findings"] if each["table"] == "tasks"]
    assert (found["live_duplicate_groups"], found["live_excess_rows"]) == (1, 2)

    connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    refused = shell.quickly("plan", "app.tasks.code", "--where", "code = 'A'", "--assign", "status=closed")
    assert "the operators of code live in the schema public" in str(refused.exception)
    for where in ("code OPERATOR(public.=) 'A'", "code::text = 'a'", "status = 'open'"):
        shell.quickly("plan", "app.tasks.code", "--where", where, "--assign", "status=closed")
    shell.quickly("plan", "app.tasks.code", "--where", "", "--assign", "status=closed", "-o", "plan.json")
    [planned] = json.loads((tmp_path / "plan.json").read_text())["vaccinations"]
    assert (planned["fingerprint"]["groups"], planned["fingerprint"]["excess_rows"]) == (2, 3)
