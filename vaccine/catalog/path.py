"""The search_path under which SQL of people is read: pg_catalog, and schemas whose operators it may mean.

`code = 'A'` over citext means the operator of citext, wherever the extension lives. Under the pinned path it would mean
that of text, in silence. So such a schema joins the path for a while, if no other role can have put anything into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg

from vaccine.catalog.sql import query
from vaccine.connect import PATH
from vaccine.predicates import quote

SET = "SELECT pg_catalog.set_config('search_path', %s, true)"


@dataclass(frozen=True, slots=True)
class TextPath:
    """What joins the path for texts over one table, and its columns whose operators do not, each with the schema."""

    schemas: tuple[str, ...]
    left_out: Mapping[str, str]


def reading(connection: psycopg.Connection, table: tuple[str, str]) -> TextPath:
    """How texts over a table are read. Call it while the path is pinned."""
    rows = connection.execute(query("text_schemas"), {"schema": table[0], "table": table[1]}).fetchall()
    return TextPath(
        tuple(schema for schema, safe, columns in rows if safe and columns),
        {column: schema for schema, safe, columns in rows if not safe for column in columns},
    )


@contextmanager
def texts_read(connection: psycopg.Connection, table: tuple[str, str]) -> Iterator[TextPath]:
    """The path for texts over a table, inside the transaction; what it was again behind the block."""
    found = reading(connection, table)
    before = connection.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
    connection.execute(SET, (path_with(found.schemas),))
    try:
        yield found
    finally:
        with suppress(psycopg.Error):  # the transaction failed: it ends, and the path with it
            connection.execute(SET, before)


def path_with(schemas: Iterable[str]) -> str:
    """The pinned path with more schemas in it."""
    first, last = PATH.split(", ")
    return ", ".join([first, *map(quote, dict.fromkeys(schemas)), last])
