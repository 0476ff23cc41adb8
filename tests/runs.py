"""A run of the operations without Alembic: the same connections, options and messages, for tests of one step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from vaccine.operations.options import Options
from vaccine.operations.run import Run


@contextmanager
def running(url: str, **options: Any) -> Iterator[tuple[Run, list[str]]]:
    """A run on a database, and the lines that it says."""
    said: list[str] = []

    def connect() -> psycopg.Connection:
        connection = psycopg.connect(url, autocommit=True, prepare_threshold=None, application_name="vaccine")
        if connection.info.server_version >= 140000:
            connection.execute("SET client_connection_check_interval = '1s'")
        return connection

    with connect() as worker:
        yield Run("4b1c", Options(**options), connect, worker, said.append), said
