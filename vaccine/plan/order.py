"""What a survivor order rests on: columns that a trigger stamps on UPDATE, or nothing but a random key.

A stamped column makes the order depend on the undo itself: a row that was resolved and restored has a new stamp, and
the next upgrade may keep another row. Function bodies are read as text, so what is said is that a trigger may do so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from vaccine.catalog.sql import query
from vaccine.catalog.values import as_text
from vaccine.plan.groups import Selection, without_direction
from vaccine.plan.target import Target

RANDOM = "^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"
IN_TIME = "^[0-9a-f]{8}-?[0-9a-f]{4}-?[67]"  # versions 6 and 7 sort by time (RFC 9562)


@dataclass(frozen=True)
class Stamper:
    """One row trigger on UPDATE: its function's language and source, its arguments."""

    name: str
    language: str
    source: str
    arguments: str
    always: bool

    def may_stamp(self, column: str) -> bool:
        """Whether its text assigns the column (PL/pgSQL), or names it (any other language, moddatetime's argument)."""
        name = re.escape(column)
        if self.language == "plpgsql":
            found = re.search(rf'\bnew\s*\.\s*(?:{name}|"{name}")\s*:?=', self.source, re.IGNORECASE)
        else:
            found = re.search(rf"(?<!\w){name}(?!\w)", f"{self.arguments}\0{self.source}", re.IGNORECASE)
        return found is not None


def ordering_columns(survivor: Iterable[str], columns: Sequence[str]) -> tuple[str, ...]:
    """Those of the table's columns that the survivor order names."""
    texts = [without_direction(each) for each in survivor]
    return tuple(name for name in columns if any(_names(text, name) for text in texts))


def stamped_order(connection: psycopg.Connection, target: Target, survivor: Sequence[str]) -> tuple[str, str] | None:
    """The trigger that may stamp a column of the survivor order, and the column; None when this role may silence it."""
    with connection.cursor(row_factory=class_row(Stamper)) as cursor:
        triggers = cursor.execute(query("plan_stamps"), {"oid": target.oid}).fetchall()
    if not triggers or (_may_silence(connection) and not any(each.always for each in triggers)):
        return None
    named = ordering_columns(survivor, [column.name for column in target.columns])
    found = ((each.name, name) for each in triggers for name in named if each.may_stamp(name))
    return next(found, None)


def random_order(connection: psycopg.Connection, target: Target, of: Selection) -> tuple[str, ...]:
    """The columns of a survivor order that is nothing but random keys, in a sample of live rows; empty otherwise."""
    named = ordering_columns(of.survivor, [column.name for column in target.columns])
    if not named or len(named) != len(of.survivor):
        return ()
    looks = sql.SQL(" AND ").join(
        # a nondeterministic collation takes no regular expression (0A000)
        sql.SQL('{c} COLLATE pg_catalog."C" ~* {random} AND {c} COLLATE pg_catalog."C" !~* {time}').format(
            c=sql.SQL("({})").format(as_text(sql.Identifier("sample", name))),
            random=sql.Literal(RANDOM),
            time=sql.Literal(IN_TIME),
        )
        for name in named
    )
    statement = sql.SQL("SELECT bool_and({}) FROM (SELECT {} FROM {} WHERE {} LIMIT 100) AS sample").format(
        looks, sql.SQL(", ").join(map(sql.Identifier, named)), sql.Identifier(of.schema, of.table), of.live
    )
    row = connection.execute(statement).fetchone()
    return named if row and row[0] else ()


def _names(text: str, name: str) -> bool:
    quoted = '"' + name.replace('"', '""') + '"'
    return quoted in text or re.search(rf'(?<![\w"]){re.escape(name)}(?![\w"])', text) is not None


def _may_silence(connection: psycopg.Connection) -> bool:
    question = (
        "SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
        if connection.info.server_version >= 150000
        else "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
    )
    row = connection.execute(question).fetchone()
    return bool(row and row[0])
