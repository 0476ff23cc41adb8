"""SQL that a person, a file or a plan gives: taken only when PostgreSQL itself parses it as one expression.

Each text is parsed where it will stand, in parentheses and without them: `a = 1) OR (TRUE` passes the one and fails the
other, `TRUE LIMIT 1` the other way round. Parsing is all that is done (the Parse message of the extended protocol,
manual, section 55.2.3): nothing is planned, no function is folded, and a second statement is an error.
"""

from __future__ import annotations

import re
from itertools import pairwise

import psycopg
from psycopg import sql

from vaccine.errors import PredicateError
from vaccine.predicates import direction, plain_text
from vaccine.predicates.tokens import tokenize

PREDICATE = ("SELECT 1 FROM {} WHERE ({}\n)", "SELECT 1 FROM {} WHERE {}\n")
VALUE = ("SELECT 1 FROM {} WHERE ({}\n) IS NOT NULL", "SELECT CASE WHEN TRUE THEN {1}\n END FROM {0}")
ORDER = ("SELECT pg_catalog.row_number() OVER (ORDER BY {1}\n) FROM {0}", "SELECT 1 FROM {} ORDER BY {}\n")
MOST = 20_000  # characters: what a person writes is shorter


def predicate_text(connection: psycopg.Connection, table: tuple[str, str], text: str) -> str:
    """A predicate over a table as it may enter statements: without comments.

    Raises:
        PredicateError: with PostgreSQL's own words.
    """
    return _accepted(connection, table, "predicate", text, PREDICATE)


def value_text(connection: psycopg.Connection, table: tuple[str, str], text: str) -> str:
    """An expression over a table as it may enter statements: without comments.

    Raises:
        PredicateError: with PostgreSQL's own words.
    """
    return _accepted(connection, table, "expression", text, VALUE)


def order_text(connection: psycopg.Connection, table: tuple[str, str], text: str) -> str:
    """One item of an ORDER BY as it may enter statements: without comments.

    Raises:
        PredicateError: with PostgreSQL's own words.
    """
    item = _accepted(connection, table, "survivor order", text, ORDER)
    _accepted(connection, table, "survivor order", direction(item)[0], VALUE)
    return item


def _accepted(
    connection: psycopg.Connection, table: tuple[str, str], what: str, text: str, templates: tuple[str, ...]
) -> str:
    fix = f"write it in SQL over the columns of {'.'.join(table)}, quoted where needed"
    reason, plain = _unfit(text), ""
    if not reason:
        plain = plain_text(text)
        reason = _subquery(plain) if what == "predicate" else ""
    for template in () if reason else templates:
        statement = sql.SQL(template).format(sql.Identifier(*table), sql.SQL(plain))
        reason = _refused(connection, statement)
        if reason:
            break
    if reason:
        raise PredicateError(f"the {what} cannot be used: {text[:200]}", why=reason, fix=fix)
    return plain


def _unfit(text: str) -> str:
    if len(text) > MOST:
        return f"it has {len(text):,} characters; {MOST:,} is the most"
    if not text.strip():
        return "it is empty"
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        return "it holds a character that no SQL text may hold"
    if re.search(r"[uU]&['\"]", text):
        return "names and literals of the form U&'…' are not read; write the character itself"
    return ""


def _subquery(plain: str) -> str:
    tokens = [value.lower() for kind, value in tokenize(plain) if kind in {"name", "mark"}]
    opened = any(a == "(" and b in {"values", "with"} for a, b in pairwise(tokens))
    return "the predicate of an index has no subquery" if opened or {"select", "table"} & set(tokens) else ""


def _refused(connection: psycopg.Connection, statement: sql.Composed) -> str:
    """Why PostgreSQL does not parse a statement; empty where it does, and takes no parameter."""
    try:
        with connection.transaction(force_rollback=True):
            low = connection.pgconn
            result = low.prepare(b"", statement.as_bytes(connection))
            if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result, encoding=connection.info.encoding)
            parameters = low.describe_prepared(b"").nparams
    except psycopg.Error as error:
        return (error.diag.message_primary or str(error)).strip()
    return "it has parameters ($1)" if parameters else ""
