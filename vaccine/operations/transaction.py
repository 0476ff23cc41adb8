"""Statements in as few round trips as there are results to wait for: locks are held no longer than that."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus


def last_row(connection: psycopg.Connection, *statements: sql.Composable) -> tuple[Any, ...] | None:
    """Send the statements in one message (manual, section 54.2.2.1, "Multiple Statements in a Simple Query").

    The first that fails ends it, and is raised. Returns the first row of the last one's result.
    """
    cursor = connection.execute(sql.SQL("\n;\n").join(statements))
    while cursor.nextset():
        pass
    return cursor.fetchone()


def leave_failed(connection: psycopg.Connection) -> None:
    """Roll back the transaction that a failed statement left open, if any."""
    if connection.info.transaction_status in {TransactionStatus.INERROR, TransactionStatus.INTRANS}:
        connection.rollback()
