"""Which key to plan, and the choices that a DBA made for it on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from vaccine.audit.finding import Assignment, Expression, Scalar
from vaccine.audit.lifecycle import Override
from vaccine.catalog.expression import order_text, predicate_text, value_text
from vaccine.catalog.keyname import KEY_FORM, KeyName
from vaccine.catalog.nearest import way_out
from vaccine.errors import UnknownKeyError, UsageError
from vaccine.plan.target import Target, tables


@dataclass(frozen=True)
class Choices:
    """What overrides the inferred lifecycle; None leaves it as inferred, or as vaccine.toml has it."""

    where: str | None = None
    assign: Assignment | None = None
    survivor: tuple[str, ...] | None = None
    name: str | None = None
    keep: tuple[tuple[str, ...], ...] = ()
    max_rows: int | None = None
    gate: str | None = None

    def over(self, said: Override | None) -> Choices:
        """These choices, and where they choose nothing what vaccine.toml says of the key."""
        if said is None:
            return self
        return Choices(
            where=said.predicate if self.where is None else self.where,
            assign=said.assign if self.assign is None else self.assign,
            survivor=self.survivor or said.survivor,
            name=self.name or said.name,
            keep=self.keep or said.keep,
            max_rows=said.max_rows if self.max_rows is None else self.max_rows,
            gate=self.gate or said.gate,
        )


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
        "SELECT n.nspname::text, pg_catalog.array_position("
        "coalesce(nullif(pg_catalog.current_setting('vaccine.schemas', true), ''),"
        " pg_catalog.current_schemas(false)::text)::name[], n.nspname) AS place"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relname = %s AND c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema'"
        " AND n.nspname NOT LIKE 'pg\\_%%' ORDER BY place NULLS LAST, n.nspname",
        (key.table,),
    ).fetchall()
    if not rows:
        raise UnknownKeyError(
            f"there is no table {key.table}",
            why=_what_it_is(connection, key.table)
            or "no schema of this database has it; names are compared exactly, upper and lower case too",
            fix=way_out(key.table, [name for _, name in tables(connection)], f"see vaccine audit --all; {KEY_FORM}"),
        )
    if len(rows) > 1 and rows[0][1] is None:
        raise UnknownKeyError(
            f"the table {key.table} is in several schemas",
            why=f"{', '.join(row[0] for row in rows)} have one",
            fix="name the schema: SCHEMA.TABLE.COLUMN",
        )
    schema: str = rows[0][0]
    return schema


def _what_it_is(connection: psycopg.Connection, name: str) -> str:
    """What has the name of a table and is none; empty when nothing has."""
    row = connection.execute(
        "SELECT pg_catalog.format('%%I.%%I is a %%s', n.nspname, c.relname, CASE c.relkind WHEN 'v' THEN 'view'"
        " WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'relation of another kind' END)"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = %s"
        " AND c.relkind NOT IN ('r', 'p') ORDER BY 1 LIMIT 1",
        (name,),
    ).fetchone()
    return f"{row[0]}: name the table beneath it" if row else ""


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
            fix=way_out(missing[0], target.by_name, "names are compared exactly, upper and lower case too"),
        )


def refuse_without_order(connection: psycopg.Connection, target: Target, columns: Sequence[str]) -> None:
    """Refuse columns of a type that no unique index can hold, such as json. Nothing is run.

    Raises:
        UsageError: with PostgreSQL's own words.
    """
    table = sql.Identifier(target.schema, target.table)
    for name in columns:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("EXPLAIN SELECT FROM {} ORDER BY {}").format(table, sql.Identifier(name)))
        except psycopg.errors.UndefinedFunction as error:
            raise UsageError(
                f"{target.schema}.{target.table} ({name}) can be no key",
                why=(error.diag.message_primary or str(error)).strip(),
                fix="name another column; a generated one of a type with an order (jsonb, text) can be a key",
            ) from None


def refuse_bad_sql(connection: psycopg.Connection, target: Target, where: str | None, survivor: Sequence[str]) -> None:
    """Let PostgreSQL parse the predicate and the survivor order against the table; runs nothing.

    Raises:
        PredicateError: with PostgreSQL's own words.
    """
    accepted_sql(connection, target, where, survivor)


def accepted_sql(
    connection: psycopg.Connection, target: Target, where: str | None, survivor: Sequence[str]
) -> tuple[str | None, tuple[str, ...]]:
    """The predicate and the survivor order as they may enter statements (see `catalog.expression`).

    Raises:
        PredicateError: with PostgreSQL's own words.
    """
    table = (target.schema, target.table)
    live = None if where is None else predicate_text(connection, table, where)
    return live, tuple(order_text(connection, table, each) for each in survivor)


def accepted_assignment(connection: psycopg.Connection, target: Target, assign: Assignment) -> Assignment:
    """The assignment with its expressions as they may enter statements.

    Raises:
        PredicateError: with PostgreSQL's own words.
    """
    table = (target.schema, target.table)
    return tuple(
        (name, Expression(value_text(connection, table, value.sql)) if isinstance(value, Expression) else value)
        for name, value in assign
    )
