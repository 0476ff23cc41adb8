"""Keys there, back and there again, both ways: all of the audited database, and nine real cases.

One database a walk, not one a key. `vaccine` runs in this process, by its own `main`; `alembic` and `psql` in theirs.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.commands import Shell
from tests.dumps import rows_dump, schema_dump
from tests.integration.test_offline import psql
from vaccine.catalog.keyname import parse_key
from vaccine.cli import main
from vaccine.demo.server import Server

AUDITED = [
    "system_issues.violation_hash", "tasks.code", "categories.slug", "posts.slug", "forms.key",
    "help_articles.slug", "help_collections.slug", "workflow_change_requests.code",
]  # fmt: skip
CASES = sorted(path.parent for path in (Path(__file__).parents[1] / "cases").glob("*/case.toml"))


@dataclass
class Walk:
    """A database and an Alembic environment; `vague` are tables in which an expression is set, mostly the time."""

    server: Server
    shell: Shell
    monkeypatch: pytest.MonkeyPatch
    vague: set[str] = field(default_factory=set)

    def vaccine(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """`vaccine …`: what it wrote to stdout and to stderr."""
        out, err = io.StringIO(), io.StringIO()
        self.monkeypatch.setattr(sys, "argv", ["vaccine", *arguments])
        self.monkeypatch.chdir(self.shell.folder)
        self.monkeypatch.setenv("VACCINE_URL", self.shell.url)
        with pytest.raises(SystemExit) as left, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
        assert left.value.code == status, f"vaccine {arguments}: {left.value.code}\n{out.getvalue()}\n{err.getvalue()}"
        return out.getvalue(), err.getvalue()

    def plan(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """`vaccine plan … -o plan.json`, as JSON."""
        self.vaccine("plan", *arguments, "-o", "plan.json", status=status)
        made = json.loads((self.shell.folder / "plan.json").read_text(encoding="utf-8"))
        for each in made["vaccinations"]:
            if any(isinstance(value, dict) for _, value in each["assign"]):
                self.vague.add(f"{each['schema']}.{each['table']}")
        return dict(made)

    def script(self, *arguments: str) -> Callable[[], None]:
        """`alembic … --sql`, and what runs it through psql."""
        script = self.shell.alembic(*arguments, "--sql").stdout

        def run() -> None:
            done = psql(self.server, self.shell.url, script, "-v", "ON_ERROR_STOP=1")
            assert done.returncode == 0, done.stderr

        return run

    def state(self) -> tuple[str, dict[str, str]]:
        """Schema and rows, byte for byte."""
        return schema_dump(self.server, self.shell.url), rows_dump(self.shell.url)

    def certain(self, state: tuple[str, dict[str, str]]) -> tuple[str, dict[str, str]]:
        """The same without the rows of tables in which an expression was set."""
        return state[0], {table: digest for table, digest in state[1].items() if table not in self.vague}

    def go(self, tables: set[str], see: Callable[[], None]) -> None:
        """There, back and there again, both ways; only `tables` may change, and each time what `see` sees is true."""
        before = self.state()
        self.shell.alembic("upgrade", "head")
        after = self.state()
        assert {table for table in after[1] if after[1][table] != before[1][table]} == tables
        see()
        self.shell.alembic("downgrade", "base")
        assert self.state() == before
        self.shell.alembic("upgrade", "head")
        assert self.certain(self.state()) == self.certain(after)
        self.shell.alembic("downgrade", "base")
        up, down = self.script("upgrade", "head"), self.script("downgrade", "head:base")
        up()
        assert self.certain(self.state()) == self.certain(after)
        see()
        down()
        assert self.state() == before
        up()
        assert self.certain(self.state()) == self.certain(after)


@pytest.fixture
def walk(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Walk]:
    def begin(url: str) -> Walk:
        made = Walk(server, Shell(tmp_path, url), monkeypatch)
        made.vaccine("init")
        return made

    return begin


def test_every_key_of_the_audited_database(walk: Callable[[str], Walk], audit_database: str) -> None:
    walker = walk(audit_database)
    plan = walker.plan(*AUDITED)
    assert [(each["table"], each["columns"]) for each in plan["vaccinations"]] == [
        (table, [column]) for table, _, column in (key.partition(".") for key in AUDITED)
    ]
    walker.vaccine("revision", "plan.json")

    def see() -> None:
        again = walker.plan(*AUDITED)
        assert again["vaccinations"] == []
        guarded = "\n".join(again["notes"])
        for each in plan["vaccinations"]:
            assert f"public.{each['table']} ({', '.join(each['columns'])}) is guarded" in guarded
            assert each["index_name"] in guarded

    walker.go({"public.system_issues"}, see)


@dataclass(frozen=True, eq=False)
class Case:
    """One case: a schema of its own, its key, the options of its plan, and the end that it should have."""

    schema: str
    key: str
    options: tuple[str, ...]
    assign: tuple[str, ...]
    end: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path, connection: psycopg.Connection) -> Case:
        """Load the case into a schema that has its number."""
        given = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
        schema = "case_" + folder.name[:2]
        connection.execute(sql.SQL("CREATE SCHEMA {0}; SET search_path = {0}").format(sql.Identifier(schema)))
        connection.execute((folder / "schema.sql").read_bytes())
        options = ["--where", given["where"]]
        for each in given.get("survivor", ()):
            options += ["--survivor", each]
        return cls(schema, f"{schema}.{given['key']}", tuple(options), assigning(given.get("assign", ())), given["end"])

    @property
    def table(self) -> str:
        """The qualified name."""
        return f"{self.schema}.{parse_key(self.key).table}"

    def check_size(self, vaccination: Mapping[str, Any]) -> None:
        """The plan sees as many groups and rows as are there."""
        seen = vaccination["fingerprint"]
        assert (seen["groups"], seen["excess_rows"]) == (self.end["groups"], self.end["excess"]), self.key

    def check_end(self, url: str, index: str) -> None:
        """The right end state."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(self.schema)))
            row = connection.execute("SELECT pg_get_indexdef(%s::regclass)", (index,)).fetchone()
            assert row is not None
            assert row[0] == f"CREATE UNIQUE INDEX {index} ON {self.table} USING btree {self.end['index']}"
            for each in self.end["see"]:
                found = [list(row) for row in connection.execute(each["sql"])]
                assert found == each["rows"], self.key


def assigning(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for value in values for word in ("--assign", value))


@pytest.fixture
def cases(database: str) -> Iterator[list[Case]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield [Case.read(folder, connection) for folder in CASES]


def test_the_cases_that_a_resolve_can_do(walk: Callable[[str], Walk], database: str, cases: list[Case]) -> None:
    walker = walk(database)
    doable = {case: "" for case in cases if "blocked" not in case.end}
    assert len(doable) == 4
    for case in doable:
        (planned,) = walker.plan(case.key, *case.options, *case.assign)["vaccinations"]
        case.check_size(planned)
        doable[case] = planned["index_name"]
        walker.vaccine("revision", "plan.json")

    def see() -> None:
        for case, index in doable.items():
            case.check_end(database, index)
            again = walker.plan(case.key, *case.options, *case.assign)
            assert again["vaccinations"] == []
            assert f"is guarded already by {index}" in again["notes"][0]

    walker.go({case.table for case in doable}, see)


def test_the_cases_that_need_more_are_refused_with_a_way_out(
    walk: Callable[[str], Walk], database: str, cases: list[Case]
) -> None:
    walker = walk(database)
    before = walker.state()
    refused = [case for case in cases if "blocked" in case.end]
    assert len(refused) == 5
    for case in refused:
        for more in ({"blocked": case.end["blocked"]}, *case.end.get("neither", ())):
            options = (*case.options, *assigning(more.get("assign", ())))
            (planned,) = walker.plan(case.key, *options, status=1)["vaccinations"]
            case.check_size(planned)
            assert blocking(planned) == more["blocked"]
            _, said = walker.vaccine("revision", "plan.json", status=1)
            assert case.table in said
            assert "fix: " in said
            assert all(code in said for code in more["blocked"])
    assert walker.state() == before
    assert list((walker.shell.folder / "migrations/versions").glob("*.py")) == []


def blocking(vaccination: Mapping[str, Any]) -> list[str]:
    return [hazard["code"] for hazard in vaccination["hazards"] if hazard["blocking"]]
