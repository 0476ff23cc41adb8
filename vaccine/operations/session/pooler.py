"""A pooler that gives each transaction another server session breaks this run: detect it before anything changes.

In pgbouncer's transaction mode a session's SET, advisory lock and prepared statements reach other clients'
sessions (pgbouncer manual, "SQL feature map for pooling modes"). Session mode is a session, and passes.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from ..errors import PreflightError

ROUNDS = 3


def refuse_pooler(connect: Callable[[], psycopg.Connection]) -> None:
    """Pass when each connection that `connect` opens is a server session of its own.

    Raises:
        PreflightError: two connections share one server session, or one changes its session between transactions.
    """
    with connect() as first, connect() as second:
        try:
            shared = any(_shares(first, second) for _ in range(ROUNDS))
        except psycopg.errors.ProtocolViolation as error:  # statement mode refuses BEGIN
            raise _refusal(first, str(error).strip()) from error
        if shared:
            raise _refusal(first, "two connections were given the same server session, one after the other")


def _shares(first: psycopg.Connection, second: psycopg.Connection) -> bool:
    mine = _server_session(first)
    with second.transaction():
        other = _server_session(second)
        again = _server_session(first) if other != mine else mine
    return other == mine or again != mine


def _server_session(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def _refusal(connection: psycopg.Connection, why: str) -> PreflightError:
    where = f"{connection.info.host}:{connection.info.port}"
    return PreflightError(
        f"the connection to {where} goes through a pooler in transaction mode; nothing was changed",
        why=f"{why}: session locks, settings and CREATE INDEX CONCURRENTLY need a session of their own",
        fix="give the URL of the PostgreSQL server itself (or of a pool in session mode), then run the same again",
    )
