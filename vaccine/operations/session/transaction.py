"""Statements in as few round trips as there are results to wait for: locks are held no longer than that."""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus


def message(connection: psycopg.Connection, *statements: sql.Composable) -> bytes:
    """Statements to send in one message (manual, section 54.2.2.1, "Multiple Statements in a Simple Query").

    Without BEGIN among them they are one transaction, from the message's arrival to its end.
    """
    return sql.SQL("\n;\n").join(statements).as_bytes(connection)


def last_row(connection: psycopg.Connection, statements: bytes) -> tuple[Any, ...] | None:
    """Send a message. The first statement that fails ends it, and is raised; else the last one's first row."""
    cursor = connection.execute(statements)
    while cursor.nextset():
        pass
    return cursor.fetchone()


def settle(connection: psycopg.Connection, seconds: float) -> None:
    """End a statement whose answer an interrupt left unread, or close the connection where that is not to be had.

    psycopg cancels a statement for which it waits; an exception in the midst of its own code leaves it ACTIVE.
    """
    if connection.info.transaction_status != TransactionStatus.ACTIVE:
        return
    raw, until = connection.pgconn, time.monotonic() + seconds
    poll = select.poll()
    poll.register(raw.socket, select.POLLIN)
    try:
        connection.cancel_safe(timeout=seconds)
        while not connection.closed and raw.transaction_status == TransactionStatus.ACTIVE:
            if raw.is_busy():
                if time.monotonic() > until:
                    raw.finish()
                elif poll.poll(50):
                    raw.consume_input()
            else:
                raw.get_result()
    except psycopg.Error:
        raw.finish()


def first_row(connection: psycopg.Connection, *statements: sql.Composable) -> tuple[Any, ...] | None:
    """Send statements in one message: the first one's first row, once all have been run. Any that fails is raised."""
    return connection.execute(message(connection, *statements)).fetchone()


def only_row(connection: psycopg.Connection, *statements: sql.Composable) -> tuple[Any, ...] | None:
    """Send statements in one message, of which one returns rows: its first row."""
    cursor = connection.execute(message(connection, *statements))
    row = None
    while True:
        if cursor.description:
            row = cursor.fetchone()
        if not cursor.nextset():
            return row


def leave_failed(connection: psycopg.Connection) -> None:
    """Roll back the transaction that a failed statement left open, if any."""
    if connection.info.transaction_status in {TransactionStatus.INERROR, TransactionStatus.INTRANS}:
        connection.rollback()
