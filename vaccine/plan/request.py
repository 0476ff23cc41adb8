"""Which key to plan, and the choices that a DBA made for it on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from vaccine.audit.finding import Assignment, Expression, Scalar
from vaccine.catalog.keyname import KEY_FORM, KeyName
from vaccine.errors import PredicateError, UnknownKeyError, UsageError
from vaccine.plan.target import Target


@dataclass(frozen=True)
class Choices:
    """What overrides the inferred lifecycle; None leaves it as inferred."""

    where: str | None = None
    assign: Assignment | None = None
    survivor: tuple[str, ...] | None = None
    name: str | None = None
    keep: tuple[tuple[str, ...], ...] = ()
    max_rows: int | None = None
    gate: str = "auto"


def parse_assignment(text: str) -> tuple[str, Scalar | Expression]:
    """`COLUMN=VALUE`: NULL, true and false as in SQL, `sql:now()` for an expression, else the text itself.

    Raises:
        UsageError: there is no `=`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--assign {text} assigns nothing", fix="give COLUMN=VALUE, such as --assign status=resolved")
    if value.startswith("sql:"):
        return name.strip(), Expression(value.removeprefix("sql:").strip())
    constants: dict[str, Scalar] = {"null": None, "true": True, "false": False}
    return name.strip(), constants.get(value.lower(), value)


def locate(connection: psycopg.Connection, key: KeyName) -> str:
    """The schema of a key's table: the one named, else the first of search_path, else the only one that has it.

    Raises:
        UnknownKeyError: no schema has the table, or several have it.
    """
    if key.schema is not None:
        return key.schema
    rows = connection.execute(
        "SELECT n.nspname::text, pg_catalog.array_position(pg_catalog.current_schemas(false), n.nspname) AS place"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relname = %s AND c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema'"
        " AND n.nspname NOT LIKE 'pg\\_%%' ORDER BY place NULLS LAST, n.nspname",
        (key.table,),
    ).fetchall()
    if not rows:
        raise UnknownKeyError(
            f"there is no table {key.table}",
            why="no schema of this database has it; names are compared exactly, upper and lower case too",
            fix="see vaccine audit for the tables; " + KEY_FORM,
        )
    if len(rows) > 1 and rows[0][1] is None:
        raise UnknownKeyError(
            f"the table {key.table} is in several schemas",
            why=f"{', '.join(row[0] for row in rows)} have one",
            fix="name the schema: SCHEMA.TABLE.COLUMN",
        )
    schema: str = rows[0][0]
    return schema


def refuse_unknown_columns(target: Target, columns: Sequence[str]) -> None:
    """Refuse columns that the table does not have.

    Raises:
        UnknownKeyError: names each, and the columns there are.
    """
    missing = [name for name in columns if name not in target.by_name]
    if missing:
        raise UnknownKeyError(
            f"{target.schema}.{target.table} has no column {', '.join(missing)}",
            why=f"its columns are {', '.join(target.by_name)}",
            fix="names are compared exactly, upper and lower case too; " + KEY_FORM,
        )


def refuse_bad_sql(connection: psycopg.Connection, target: Target, where: str | None, survivor: Sequence[str]) -> None:
    """Let PostgreSQL parse the predicate and the survivor order against the table; runs nothing.

    Raises:
        PredicateError: with PostgreSQL's own words.
    """
    table = sql.Identifier(target.schema, target.table)
    order = ", ".join(survivor)
    for what, text, template in (
        ("predicate", where, "EXPLAIN SELECT 1 FROM {} WHERE ({})"),
        ("survivor order", order or None, "EXPLAIN SELECT 1 FROM {} ORDER BY {}"),
    ):
        if text is None:
            continue
        statement = sql.SQL(template).format(table, sql.SQL(f"{text}\n"))
        try:
            with connection.transaction():
                # binary asks for the extended protocol, which refuses a second statement after a semicolon
                connection.execute(statement, binary=True)
        except psycopg.Error as error:
            raise PredicateError(
                f"the {what} cannot be used: {text}",
                why=(error.diag.message_primary or str(error)).strip(),
                fix=f"write it in SQL over the columns of {target.schema}.{target.table}, quoted where needed",
            ) from None
