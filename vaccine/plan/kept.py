"""The rows that a DBA keeps by hand: each must be one of the live rows that the plan looks at."""

from __future__ import annotations

import psycopg
from psycopg import sql

from vaccine.errors import UsageError
from vaccine.plan.groups import Selection
from vaccine.plan.target import Target


def refuse_unknown_rows(connection: psycopg.Connection, target: Target, of: Selection) -> None:
    """Refuse a primary key that no live row has.

    Raises:
        UsageError: says which, and whether the row is gone, or there and not live.
    """
    for key in of.keep:
        said = f"--keep {','.join(key)}"
        if len(key) != len(of.primary_key):
            raise UsageError(f"{said} does not fit the primary key of {of.schema}.{of.table}", fix=_form(of))
        live = _is_live(connection, target, of, key, said)
        if not live:
            raise UsageError(
                f"{said} is no live row of {of.schema}.{of.table}",
                why="no row has that primary key" if live is None else _why_not(of),
                fix=f"give the {', '.join(of.primary_key)} of a row that the plan shows, or leave it out",
            )


def _is_live(
    connection: psycopg.Connection, target: Target, of: Selection, key: tuple[str, ...], said: str
) -> bool | None:
    """Whether the row with that primary key is live; None when there is none."""
    same = sql.SQL(" AND ").join(
        sql.SQL("{} = CAST({} AS {})").format(sql.Identifier(name), sql.Literal(part), _type(target, name))
        for name, part in zip(of.primary_key, key, strict=True)
    )
    try:
        with connection.transaction():
            row = connection.execute(
                sql.SQL("SELECT ({}) IS TRUE FROM {} WHERE {}").format(of.live, of.source, same)
            ).fetchone()
    except psycopg.DataError as error:
        raise UsageError(
            f"{said} does not fit the primary key of {of.schema}.{of.table}",
            why=(error.diag.message_primary or str(error)).strip(),
            fix=_form(of),
        ) from None
    return bool(row[0]) if row else None


def _why_not(of: Selection) -> str:
    return f"of that row {of.where} is not true" if of.where else "a column of its key is NULL"


def _form(of: Selection) -> str:
    return f"give --keep {','.join(name.upper() for name in of.primary_key)}, values of its primary key"


def _type(target: Target, name: str) -> sql.SQL:
    """The type as the catalog spells it."""
    return sql.SQL(target.by_name[name].type)
