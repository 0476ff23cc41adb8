"""Reading a live database without harm: READ ONLY, in short transactions, every statement counted.

Each block is one transaction (a savepoint where the caller has one open), so that the ACCESS SHARE
locks of a long audit are let go after each table, and no snapshot is held between two statements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from vaccine.connect import PATH, OneStatement, pin

Parameters = Sequence[Any] | Mapping[str, Any] | None

# SET TRANSACTION READ ONLY holds inside a savepoint too, until it ends (manual, SQL SET TRANSACTION).
BEGIN = "SET TRANSACTION READ ONLY"
LOCK_TIMEOUT_MS = 2000


class Reader:
    """A connection that only reads. `statements` counts all that was sent inside blocks.

    `path` is the search_path of its blocks: a wider one than the pinned one where texts of people need it.

    Args:
        connection: any psycopg connection; the caller keeps and closes it.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.statements = 0
        self.path = PATH

    @contextmanager
    def block(self, timeout_ms: int = 0) -> Iterator[None]:
        """One READ ONLY transaction; `timeout_ms` bounds each statement in it, 0 does not."""
        with self.connection.transaction(force_rollback=True):
            self.run(BEGIN)
            pin(self.connection, lock_timeout_ms=LOCK_TIMEOUT_MS, statement_timeout_ms=max(0, timeout_ms))
            self.statements += 1
            if self.path != PATH:
                self.rows("SELECT pg_catalog.set_config('search_path', %s, true)", (self.path,))
            yield

    def rows(self, query: str | sql.SQL | sql.Composed, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        """All rows of one query, as tuples. Call it inside a block."""
        self.statements += 1
        text = query.encode() if isinstance(query, str) else query
        with OneStatement(self.connection, row_factory=tuple_row) as cursor:
            return cursor.execute(text, parameters).fetchall()

    def run(self, statement: str) -> None:
        """A statement that sets something for the block and returns nothing."""
        self.statements += 1
        OneStatement(self.connection).execute(statement.encode())

    def row(self, query: str | sql.SQL | sql.Composed, parameters: Parameters = None) -> tuple[Any, ...]:
        """The one row of a query that has one."""
        return self.rows(query, parameters)[0]


@cache
def question(name: str) -> str:
    """The text of vaccine/catalog/sql/NAME.sql."""
    return resources.files("vaccine.catalog").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
