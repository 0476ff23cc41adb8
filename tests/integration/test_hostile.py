"""Names, predicates and types that nobody should have: there and back, with the gate up, online and as a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.alembic_env import UPGRADE, Environment, make_environment, write_revision
from tests.commands import Shell
from tests.integration.test_offline import psql, script_of
from tests.runs import gate_objects
from vaccine.demo.server import Server

LONG = "n" * 49 + "é" * 7  # 63 bytes
WORDS = """
t w o b a n x g s j k i l p place pairs sides values new old changed held twice found ranked images left_over same
vaccine_n vaccine_p0 vaccine_s0 vaccine_k0 vaccine_pair vaccine_excess vaccine_place vaccine_kept vaccine_batch
vaccine_row vaccine_image skipped live places primary_key survivor after before number status_ source
vaccine_p_ctid vaccine_p_xmin vaccine_s_ctid vaccine_s_xmin vaccine_c0 vaccine_ctid r v rows last first batch
vaccine_live vaccine_at vaccine_o0 vaccine_o1 vaccine_v0 c shared left_at
"""
CTES = (
    "vaccine number",
    "vaccine locked",
    "vaccine changed",
    "vaccine after",
    "vaccine row",
    "vaccine same",
    "vaccine sides",
)
OURS = WORDS.split()


@dataclass(frozen=True)
class Case:
    """One table: what makes it, the key, the policy. `rows` are live duplicates of two groups, (k) values in SQL."""

    ddl: str
    schema: str = "public"
    table: str = "issues"
    columns: tuple[str, ...] = ("hash",)
    where: str | None = "status = 'open'"
    survivor: tuple[str, ...] = ("id DESC",)
    assign: Mapping[str, Any] = field(default_factory=lambda: {"status": "resolved"})
    index: str = "uq"
    excess: int = 3

    @property
    def key(self) -> dict[str, Any]:
        return {"schema": self.schema, "table": self.table, "columns": list(self.columns), "where": self.where}

    @property
    def policy(self) -> dict[str, Any]:
        return {
            "survivor": list(self.survivor),
            "assign": dict(self.assign),
            "keep": [],
            "max_rows": self.excess,
            "plan": "6f1c2e0a",
        }

    def rows(self, connection: psycopg.Connection) -> list[tuple[Any, ...]]:
        query = sql.SQL('SELECT "a row"::text FROM ONLY {} AS "a row" ORDER BY 1').format(
            sql.Identifier(self.schema, self.table)
        )
        return connection.execute(query).fetchall()


ROWS = "(1, 'a', 'open'), (2, 'a', 'open'), (3, 'a', 'open'), (4, 'b', 'open'), (5, 'b', 'open'), (6, 'b', 'resolved')"
PLAIN = f"CREATE TABLE issues (id int PRIMARY KEY, hash text, status text); INSERT INTO issues VALUES {ROWS}"
ALIASES = ", ".join(f"\"{name}\" text DEFAULT '{name}'" for name in OURS)
CASES = {
    "columns named like our aliases": Case(
        f"CREATE TABLE issues (id int, hash text, status text, {ALIASES}, PRIMARY KEY (id, n, w));"
        f"INSERT INTO issues (id, hash, status) VALUES {ROWS}",
        columns=("hash", "t", "new"),
        where="status = 'open' AND old = 'old' AND \"changed\" = 'changed' AND issues.held IS NOT NULL",
        survivor=("w", "place DESC", "id DESC"),
        assign={"status": "resolved", "vaccine_n": "x", "old": "old"},
    ),
    **{
        f"a table named {name}": Case(
            PLAIN.replace("issues", f'"{name}"'), table=name, where=f"\"{name}\".status = 'open'"
        )
        for name in (
            *CTES,
            "vaccine_work",
            "vaccine_left",
            "vaccine_wanted",
            "vaccine_wide",
            "pairs",
            "t",
            "new",
            "found",
        )
    },
    "names of 63 bytes": Case(
        PLAIN.replace("issues", f'"{LONG}"').replace("hash", f'"{LONG}"'),
        table=LONG,
        columns=(LONG,),
        index=LONG[:-1] + "x",
    ),
    "backslashes, braces, percent signs, quotes, dollars": Case(
        'CREATE SCHEMA IF NOT EXISTS "s\\{0}%s$$";'
        + PLAIN.replace("issues", '"s\\{0}%s$$"."t\'\\n{x}%(a)s"').replace("hash", '"h\\""{}%%$vaccine$"'),
        schema="s\\{0}%s$$",
        table="t'\\n{x}%(a)s",
        columns=('h\\"{}%%$vaccine$',),
        where="status = 'open' AND 'a%{b}\\' <> status AND status NOT LIKE '%{}%' AND E'\\\\' <> status",
        index="u'\\{}%s$vaccine$",
    ),
    "a predicate with comments": Case(PLAIN, where="status = 'open' -- only open ones"),
    "a predicate with block comments": Case(PLAIN, where="/* live: */ status = /* it's */ 'open' -- ) {x} %s"),
    "a survivor order with a comment": Case(PLAIN, survivor=("hash -- the key, of course", "id DESC /* newest */")),
    "a domain over a composite": Case(
        "CREATE TYPE pair AS (a int, b text); CREATE DOMAIN positive AS pair CHECK ((VALUE).a > 0);"
        "CREATE TABLE issues (id int PRIMARY KEY, hash positive, status text);"
        "INSERT INTO issues SELECT n, ROW(n % 2 + 1, 'x')::pair, 'open' FROM generate_series(1, 5) AS n",
    ),
    "an enum, an array and a range as the key": Case(
        "CREATE TYPE \"St at\" AS ENUM ('open', 'it''s');"
        'CREATE TABLE issues (id int PRIMARY KEY, hash int4range, tags text[], status "St at");'
        "INSERT INTO issues SELECT n, int4range(n % 2, 9), ARRAY['a,\"', NULL], 'open' FROM generate_series(1, 5) AS n",
        columns=("hash", "tags"),
        assign={"status": "it's"},
    ),
    "a generated key": Case(
        "CREATE TABLE issues (id int PRIMARY KEY, raw text, hash text GENERATED ALWAYS AS (lower(raw)) STORED,"
        " status text);"
        "INSERT INTO issues (id, raw, status) VALUES (1, 'A', 'open'), (2, 'a', 'open'), (3, 'A', 'open'),"
        " (4, 'b', 'open'), (5, 'B', 'open')",
    ),
    "a boolean lifecycle": Case(
        "CREATE TABLE issues (id int PRIMARY KEY, hash text, is_current bool NOT NULL DEFAULT true);"
        "INSERT INTO issues SELECT n, n % 2, n < 6 FROM generate_series(1, 6) AS n",
        where="is_current",
        assign={"is_current": False},
    ),
    "a date of the end": Case(
        "CREATE TABLE issues (id int PRIMARY KEY, hash text, deleted_at timestamptz);"
        "INSERT INTO issues SELECT n, n % 2, CASE WHEN n > 5 THEN now() END FROM generate_series(1, 6) AS n",
        where="deleted_at IS NULL",
        assign={"deleted_at": {"sql": "now() /* % {x} */"}},
    ),
    "functions and types of the table's own schema": Case(
        "CREATE SCHEMA IF NOT EXISTS app; CREATE TYPE app.state AS ENUM ('open', 'resolved');"
        "CREATE FUNCTION app.live(app.state) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT $1 = 'open'$$;"
        "CREATE FUNCTION public.live(anyelement) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT false$$;"
        "CREATE TABLE app.issues (id int PRIMARY KEY, hash text, status app.state);"
        f"INSERT INTO app.issues VALUES {ROWS}",
        schema="app",
        where="status = 'open'::state AND app.live(status)",
    ),
    "dropped and added columns": Case(
        PLAIN + "; ALTER TABLE issues DROP COLUMN hash; ALTER TABLE issues ADD COLUMN hash text DEFAULT 'a',"
        " ADD COLUMN later int DEFAULT 7",
        excess=4,
    ),
    "an inheriting table": Case(
        PLAIN + "; CREATE TABLE child () INHERITS (issues); INSERT INTO child VALUES (9, 'a', 'open')"
    ),
}


def named(number: int, case: Case) -> Case:
    """The case in a schema of its own, unless it has one already."""
    return case if case.schema != "public" else replace(case, schema=f"case {number} %s {{x}}")


def write_all(environment: Environment, cases: list[Case]) -> None:
    below = None
    for number, case in enumerate(cases):
        both = UPGRADE.format(index=case.index).replace("**POLICY)", f"**POLICY, index={case.index!r})", 1)
        revision = f"aaaa{number:08}"
        write_revision(
            environment, case.key, case.policy, index=case.index, upgrade=both, revision=revision, down=below
        )
        below = revision


def valid(connection: psycopg.Connection, case: Case) -> bool | None:
    row = connection.execute(
        "SELECT x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
        (case.schema, case.index),
    ).fetchone()
    return row[0] if row else None


@pytest.mark.parametrize("per_migration", [None, False], ids=["vaccine's env.py", "one transaction for all"])
def test_there_and_back_all_in_one_upgrade(
    server: Server, database: str, connection: psycopg.Connection, tmp_path: Path, per_migration: bool | None
) -> None:
    cases = [named(number, case) for number, case in enumerate(CASES.values())]
    for case in cases:
        schema = sql.Identifier(case.schema)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
        connection.execute(sql.SQL("SET search_path = {}, public").format(schema))
        connection.execute(case.ddl.encode())
    before = [case.rows(connection) for case in cases]
    environment = make_environment(tmp_path, database, transaction_per_migration=per_migration)
    write_all(environment, cases)

    environment.alembic("-x", "vaccine.gate=always", "upgrade", "head")
    assert [valid(connection, case) for case in cases] == [True] * len(cases)
    assert gate_objects(connection) == []
    online = [case.rows(connection) for case in cases]
    changed = [len(set(after) - set(first)) for after, first in zip(online, before, strict=True)]
    assert changed == [case.excess for case in cases]
    environment.alembic("downgrade", "base")
    assert [case.rows(connection) for case in cases] == before
    assert [valid(connection, case) for case in cases] == [None] * len(cases)

    connection.execute("DROP SCHEMA vaccine CASCADE; DROP TABLE IF EXISTS alembic_version")
    up = psql(server, database, script_of(environment, "upgrade", "base:head"), "-v", "ON_ERROR_STOP=1")
    assert up.returncode == 0, up.stderr
    assert [valid(connection, case) for case in cases] == [True] * len(cases)
    for case, rows in zip(cases, online, strict=True):
        assert "now()" in str(case.assign) or case.rows(connection) == rows, case
    down = psql(server, database, script_of(environment, "downgrade", "head:base"), "-v", "ON_ERROR_STOP=1")
    assert down.returncode == 0, down.stderr
    assert [case.rows(connection) for case in cases] == before
    assert [valid(connection, case) for case in cases] == [None] * len(cases)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_a_database_in_another_encoding(server: Server, tmp_path: Path, encoding: str) -> None:
    name = f"encoded_{encoding.lower()}"
    key = "日本" if encoding == "EUC_JP" else "é"
    with psycopg.connect(server.url, autocommit=True) as making:
        making.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        url = server.url_of(name)
        with psycopg.connect(url, autocommit=True, client_encoding="UTF8") as connection:
            ddl = PLAIN.replace("issues", f'"issues {key}"').replace("'a'", f"'{key}'")
            connection.execute(ddl.encode())
            case = Case("", table=f"issues {key}", where=f"status = 'open' AND hash <> '{key}x'", index=f"uq {key}")
            before = case.rows(connection)
            shell = Shell(tmp_path, url)
            shell.vaccine("plan", f'"issues {key}".hash', "--where", "status = 'open'", "--assign", "status=resolved")
            environment = make_environment(tmp_path / "online", url)
            write_all(environment, [case])
            environment.alembic("-x", "vaccine.gate=always", "upgrade", "head")
            online = case.rows(connection)
            assert key in shell.vaccine("journal").stdout
            assert "resolved" in shell.vaccine("journal", "show", "1").stdout
            environment.alembic("downgrade", "base")
            assert case.rows(connection) == before
            connection.execute("DROP SCHEMA vaccine CASCADE")
            script = psql(server, url, script_of(environment, "upgrade", "base:head"), "-v", "ON_ERROR_STOP=1")
            assert script.returncode == 0, script.stderr
            assert case.rows(connection) == online
    finally:
        with psycopg.connect(server.url, autocommit=True) as making:
            making.execute(f"DROP DATABASE {name}")
