"""A refusal as data. A check exists once: the plan asks it, preflight asks it, the `--sql` script carries it.

A check is one SQL query over the catalog, composed from what a revision spells out and nothing else: so the very query
that is executed online stands in the script with its literals. Each row that it returns is one reason; its columns fill
the braces of the check's text and way out. The query of a *probe* returns statements beside: they are run one after
the other and taken back, and are a reason when one of them fails, or when the last one finds something. Some probes
write (a temporary table, a trial UPDATE): only where that is allowed are they asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import psycopg
from psycopg import sql

from ..key import Key, Policy, value
from ..options import Options

PLACE = re.compile(r"\{(\w+)\}")
WORK = "pg_temp.vaccine_work"
TARGET = """pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = {schema} AND c.relname = {table}"""


class Stage(IntEnum):
    """What must be known before a check is asked; what blocks in one stage may make the next one pointless."""

    SERVER = 1  # nothing
    TABLE = 2  # the table is there
    INDEX = 3  # an index is to be built on it
    ROWS = 4  # the excess rows were found, and there are some


@dataclass(frozen=True)
class Reason:
    """Why not, or what to know before: `text` says what is so, `fix` the way out."""

    code: str
    text: str
    fix: str
    blocking: bool = True

    def __str__(self) -> str:
        return f"{self.text} [{self.code}]" + (f": {self.fix}" if self.fix else "")


@dataclass(frozen=True)
class Question:
    """What a check may be composed from. `rows` is SQL for the excess rows, with the work table's columns in order."""

    key: Key
    policy: Policy
    index: str | None = None
    options: Options = field(default_factory=Options)
    rows: str = WORK
    path: str = ""  # the search_path that triggers are to see, where the session has another
    dry: bool = False  # for a plan, by a role that may not be the one that will run it

    def of_table(self, text: str, **more: sql.Composable) -> sql.Composed:
        """A query in which {target} names the table: `c` of pg_class with `n` of pg_namespace, and its WHERE begun."""
        return self.fill(text.replace("{target}", TARGET), **more)

    def fill(self, text: str, **more: sql.Composable) -> sql.Composed:
        """A query with the question's literals in its braces: {schema}, {table}, {columns}, {assigned} and the like."""
        assigned = [
            sql.SQL("({}::text, {}::text)").format(sql.Literal(name), sql.Literal(f"({value(to).as_string(None)})"))
            for name, to in self.policy.assign.items()
        ]
        nothing = sql.SQL("SELECT NULL::text, NULL::text WHERE FALSE")
        return sql.SQL(text).format(
            schema=sql.Literal(self.key.schema),
            table=sql.Literal(self.key.table),
            columns=sql.SQL("{}::text[]").format(sql.Literal(list(self.key.columns))),
            assigned=sql.SQL("{}::text[]").format(sql.Literal(list(self.policy.assign))),
            assignment=sql.SQL("VALUES {}").format(sql.SQL(", ").join(assigned)) if assigned else nothing,
            key_list=sql.Literal(self.key.column_list.as_string(None)),
            live=sql.Literal(
                f"{self.key.live.as_string(None)} AND pg_catalog.num_nulls({self.key.column_list.as_string(None)}) = 0"
            ),
            index=sql.SQL("{}::text").format(sql.Literal(self.index)),
            rows=sql.Literal(self.rows),
            path=sql.Literal(self.path),
            **more,
        )


@dataclass(frozen=True)
class Subject:
    """Who is asked. `writes`: probes may write."""

    connection: psycopg.Connection
    question: Question
    writes: bool = True


@dataclass(frozen=True)
class Check:
    """One refusal, or one thing to know (`blocking` off).

    `elsewhere`: it hangs on the role or the server, so it stops a run, and a plan only says it. `halts`: asking for
    rows makes no sense where it is so. `ignores`: SQLSTATEs, or their first two letters, of a probe that say nothing.
    `unasked` says why a script does not carry it.
    """

    code: str
    text: str
    fix: str
    query: Callable[[Question], sql.Composable]
    stage: Stage = Stage.TABLE
    blocking: bool = True
    elsewhere: bool = False
    halts: bool = False
    probe: bool = False
    writes: bool = False
    ignores: tuple[str, ...] = ()
    unasked: str = ""

    def composed(self, question: Question) -> sql.Composed:
        """The query that returns (text, fix), and the statements of a probe."""
        statements = sql.SQL(", q.statements::text[]") if self.probe else sql.SQL("")
        return sql.SQL("SELECT {}, {}{} FROM ({}) AS q").format(
            told(self.text), told(self.fix), statements, self.query(question)
        )


def told(template: str) -> sql.Composable:
    """SQL for a text whose braces name columns of `q`; in ASCII, which every database's encoding has."""
    template = template.replace("…", "...")
    columns = list(dict.fromkeys(PLACE.findall(template)))
    text = PLACE.sub(lambda found: f"%{columns.index(found[1]) + 1}$s", template.replace("%", "%%"))
    values = [sql.SQL("q.{}::text").format(sql.Identifier(name)) for name in columns]
    return sql.SQL("pg_catalog.format({})").format(sql.SQL(", ").join([sql.Literal(text), *values]))


def of_table(text: str, **more: sql.Composable) -> Callable[[Question], sql.Composed]:
    """`Question.of_table`, for a query that hangs on nothing else."""
    return lambda question: question.of_table(text, **more)


def of_server(text: str) -> Callable[[Question], sql.Composed]:
    """A query that names no table."""
    return lambda question: question.fill(text)
