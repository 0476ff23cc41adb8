"""What applications run in this database, as pg_stat_statements keeps it. Bounded in number and length."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from vaccine.catalog.model import Catalog, SeenStatement
from vaccine.catalog.reader import Reader, question

MOST = 2000  # statements of one kind
LENGTH = 2000  # characters of one text: with MOST, at most some 8 MB
CALLS = 5  # a lookup called less often may be somebody's psql
ROWS_A_CALL = 1.1  # a lookup of one row finds no more on average, where duplicates are the exception
TIMEOUT_MS = 5000
EXTENSION = "pg_stat_statements"


@dataclass(frozen=True, slots=True)
class Statements:
    """Statements that insert, those that find one row at most, and what could not be seen."""

    inserts: tuple[SeenStatement, ...] = ()
    lookups: tuple[SeenStatement, ...] = ()
    unknowns: tuple[str, ...] = ()


def read_statements(reader: Reader, catalog: Catalog) -> Statements:
    """The statements of this database, the most called of each kind first.

    A role that is no member of pg_read_all_stats sees the texts of its own statements only
    (manual, F.30 pg_stat_statements): how many it did not see is said.
    """
    if catalog.statements is None:
        return Statements(unknowns=(_missing(),))
    query = sql.SQL(question("statements")).format(
        statements=sql.Identifier(*catalog.statements),
        length=sql.Literal(LENGTH),
        calls=sql.Literal(CALLS),
        rows_a_call=sql.Literal(ROWS_A_CALL),
        most=sql.Literal(MOST),
    )
    try:
        with reader.block(TIMEOUT_MS):
            rows = reader.rows(query)
    except psycopg.Error as error:
        return Statements(unknowns=(_unread(error),))
    found = {kind: tuple(SeenStatement(text, calls) for of, text, calls, _ in rows if of == kind) for kind in _KINDS}
    hidden = sum(statements for kind, _, _, statements in rows if kind == "hidden")
    return Statements(found["insert"], found["lookup"], (_hidden(hidden),) if hidden else ())


_KINDS = ("insert", "lookup")


def _missing() -> str:
    return f"what applications run: {EXTENSION} is not installed in this database (CREATE EXTENSION {EXTENSION})"


def _hidden(statements: int) -> str:
    return (
        f"what applications run: {EXTENSION} hides {statements:,} statements of other roles from this role;"
        " GRANT pg_read_all_stats to it"
    )


def _unread(error: psycopg.Error) -> str:
    fixes = {
        "55000": f"add {EXTENSION} to shared_preload_libraries and restart the server",
        "42501": "GRANT pg_read_all_stats to this role, and USAGE on the extension's schema",
        "57014": f"it took more than {TIMEOUT_MS // 1000} s; run again when the server is quieter",
    }
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    fix = fixes.get(error.sqlstate or "", "see the server's log")
    return f"what applications run: {EXTENSION} was not read ({first}); {fix}"
