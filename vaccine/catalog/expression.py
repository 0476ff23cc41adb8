"""SQL that a person, a file or a plan gives: taken only when PostgreSQL itself parses it as one expression.

Each text is parsed where it will stand, in parentheses and without them: `a = 1) OR (TRUE` passes the one and fails the
other, `TRUE LIMIT 1` the other way round. Parsing is all that is done (the Parse message of the extended protocol,
manual, section 55.2.3): nothing is planned, no function is folded, and a second statement is an error. Names get their
schemas, and none of them may be code of another role: it would run with the rights of this one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

import psycopg
from psycopg import sql

from vaccine.catalog.foreign import called_by, names_of
from vaccine.catalog.names import Named, names_in, qualified
from vaccine.catalog.path import TextPath, texts_read
from vaccine.catalog.sql import query
from vaccine.errors import PredicateError
from vaccine.predicates import columns_in, direction, plain_text
from vaccine.predicates.tokens import MOST, tokenize

PREDICATE = ("SELECT 1 FROM {} WHERE ({}\n)", "SELECT 1 FROM {} WHERE {}\n")
VALUE = ("SELECT 1 FROM {} WHERE ({}\n) IS NOT NULL", "SELECT CASE WHEN TRUE THEN {1}\n END FROM {0}")
ORDER = ("SELECT pg_catalog.row_number() OVER (ORDER BY {1}\n) FROM {0}", "SELECT 1 FROM {} ORDER BY {}\n")
# The volatile functions that a value may be made of; any other may do what nobody sees, such as read a file.
MADE_ANEW = {"random", "clock_timestamp", "timeofday", "gen_random_uuid", "uuidv4", "uuidv7", "nextval"}
NOT_FIXED = {
    *("current_timestamp", "current_date", "current_time", "localtime", "localtimestamp", "current_user", "user"),
    *("session_user", "current_role", "current_catalog", "current_schema"),
}
Table = tuple[str, str]


def predicate_text(connection: psycopg.Connection, table: Table, text: str) -> str:
    """A predicate over a table as it may enter statements: one line, names qualified.

    Raises:
        PredicateError: what is wrong, with PostgreSQL's own words.
    """
    return _accepted(connection, table, "predicate", text, PREDICATE)


def value_text(connection: psycopg.Connection, table: Table, text: str) -> str:
    """An expression over a table as it may enter statements: one line, names qualified.

    Raises:
        PredicateError: what is wrong, with PostgreSQL's own words.
    """
    return _accepted(connection, table, "expression", text, VALUE)


def order_text(connection: psycopg.Connection, table: Table, text: str) -> str:
    """One item of an ORDER BY as it may enter statements: one line, names qualified.

    Raises:
        PredicateError: what is wrong, with PostgreSQL's own words.
    """
    item = _accepted(connection, table, "survivor order", text, ORDER)
    _accepted(connection, table, "survivor order", direction(item)[0], VALUE)
    return item


def _accepted(connection: psycopg.Connection, table: Table, what: str, text: str, templates: tuple[str, ...]) -> str:
    reason, plain = _unfit(text), ""
    if not reason:
        plain, reason = _named(connection, table, what, plain_text(text))
    if not reason:
        with connection.transaction(), texts_read(connection, table) as path:
            reason = _ambiguous(plain, path) or _unparsed(connection, table, plain, templates)
    if reason:
        raise PredicateError(
            f"the {what} cannot be used: {text[:200]}",
            why=reason,
            fix=f"write it in SQL over the columns of {'.'.join(table)}, quoted where needed",
        )
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


def _named(connection: psycopg.Connection, table: Table, what: str, plain: str) -> tuple[str, str]:
    """The text with its names qualified, and why it may not run."""
    names = names_in(plain)
    if names:
        wanted = sorted({each.name for each in names})
        rows = connection.execute(query("text_names"), {"names": wanted}).fetchall()
        schemas: dict[tuple[str, bool], list[str]] = defaultdict(list)
        for schema, name, kind, _ in rows:
            schemas[name, kind == "function"].append(schema)
        reason = _too_volatile(
            what, names, {(row[0], row[1]): row[3] for row in rows if row[2] == "function"}, table[0]
        )
        if reason:
            return plain, reason
        plain = qualified(plain, names, schemas, table[0])
    if what == "predicate":
        words = {value.lower() for kind, value in tokenize(plain) if kind == "name"}
        if words & {"select", "table"} or re.search(r"\(\s*(values|with)\b", plain, re.IGNORECASE):
            return plain, "the predicate of an index has no subquery"
        if words & NOT_FIXED:
            return plain, f"the predicate of an index may not hang on {', '.join(sorted(words & NOT_FIXED))}"
    return plain, _foreign(connection, plain)


def _too_volatile(what: str, names: Iterable[Named], volatility: dict[tuple[str, str], str], home: str) -> str:
    for each in names:
        places = (each.schema,) if each.schema else ("pg_catalog", home, "public")
        found = [volatility[place, each.name] for place in places if (place, each.name) in volatility]
        if not each.called or not found:
            continue
        least = found[0]
        if what == "predicate" and least != "i":
            return f"{each.name}() is not IMMUTABLE: an index's predicate may call no other"
        if least == "v" and (what != "expression" or each.name not in MADE_ANEW):
            return f"{each.name}() is VOLATILE: it is not called here"
    return ""


def _foreign(connection: psycopg.Connection, plain: str) -> str:
    if ("mark", ".") not in tokenize(plain):
        return ""
    found = called_by(plain, names_of(row for row in connection.execute(query("foreign_code"))))
    owner = found.rpartition(" of ")[2]
    return f"it would run {found} with the rights of this role; run this as {owner}" if found else ""


def _ambiguous(plain: str, path: TextPath) -> str:
    """Why an operator may mean another than the author's: a column's own ones are out of the path."""
    named = columns_in(plain, path.left_out)
    said = [value.lower() for kind, value in tokenize(plain) if kind in {"name", "cast"}]
    if not named or "operator" in said or "::" in said:
        return ""
    schema = path.left_out[named[0]]
    return (
        f"the operators of {named[0]} live in the schema {schema}, where other roles may have put some too: write which"
        f" is meant ({named[0]} OPERATOR({schema}.=) … or {named[0]}::text = …), or REVOKE CREATE ON SCHEMA {schema}"
    )


def _unparsed(connection: psycopg.Connection, table: Table, plain: str, templates: tuple[str, ...]) -> str:
    for template in templates:
        reason = _refused(connection, sql.SQL(template).format(sql.Identifier(*table), sql.SQL(plain)))
        if reason:
            return reason
    return ""


def _refused(connection: psycopg.Connection, statement: sql.Composed) -> str:
    """Why PostgreSQL does not parse a statement; empty where it does, and it takes no parameter."""
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
