"""What PostgreSQL refuses Alembic itself, in words: the version table, its schema, and the stamp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from vaccine.errors import DatabaseError, PermissionDeniedError

READ_ONLY, NO_RIGHT = "25006", "42501"
DENIED = """
SELECT FROM pg_catalog.pg_namespace n
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = %(table)s
 WHERE n.nspname = %(schema)s
   AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE')
            AND CASE WHEN c.oid IS NULL THEN pg_catalog.has_schema_privilege(n.oid, 'CREATE')
                     ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)
"""
NO_WRITES = (
    "the server takes no writes; nothing was changed",
    "it is a standby, or default_transaction_read_only is on for this role or database",
    "connect to the primary, or set that off, then run the same command again",
)


def refuse_schema(connection: psycopg.Connection, schema: str, table: str) -> None:
    """See whether the role reaches the version table.

    Raises:
        PermissionDeniedError: it may not use the schema, or not read the table.
    """
    if connection.execute(DENIED, {"schema": schema, "table": table}).fetchone() is not None:
        raise PermissionDeniedError(
            f"user {connection.info.user} may not use the schema {schema}; nothing was changed",
            why="Alembic's version table and the journal lie there",
            fix="run as the role that made it, or grant USAGE and CREATE on the schema and all on its tables",
        )


def schema_refused(connection: psycopg.Connection, schema: str, error: psycopg.Error) -> DatabaseError:
    """The words for a CREATE SCHEMA that failed."""
    if error.sqlstate == READ_ONLY:
        what, why, fix = NO_WRITES
        return DatabaseError(what, why=f"{_told(error)}: {why}", fix=fix)
    what = f"the schema {schema} cannot be made; nothing was changed"
    statement = sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(
        *map(sql.Identifier, (schema, connection.info.user))
    )
    if error.sqlstate == NO_RIGHT:
        return PermissionDeniedError(
            what,
            why=f"{_told(error)}; Alembic's version table and the journal would lie there",
            fix=f"run as a role that may CREATE in the database, or let one run: {statement.as_string()}",
        )
    return DatabaseError(
        what,
        why=f"{_told(error)}; Alembic's version table and the journal would lie there",
        fix="let a role make it that may (an event trigger may ask who it is), and grant USAGE and CREATE on it to "
        f"{connection.info.user}; then run the same command again",
    )


@contextmanager
def in_words(schema: str | None, table: str) -> Iterator[None]:
    """What PostgreSQL refuses Alembic's own statements becomes one message; those of revisions stay as they are.

    Raises:
        DatabaseError: the version table cannot be made or written, no write is taken, or the connection was lost.
    """
    try:
        yield
    except DBAPIError as error:
        known = _known(error, schema, table)
        if known is None:
            raise
        raise known from None


def _known(error: DBAPIError, schema: str | None, table: str) -> DatabaseError | None:
    statement = (error.statement or "").lstrip()
    told, state = _told(error.orig), getattr(error.orig, "sqlstate", None)
    if state == READ_ONLY:
        what, why, fix = NO_WRITES
        return DatabaseError(what, why=f"{told}: {why}", fix=fix)
    if error.connection_invalidated:
        return DatabaseError(
            "the connection was lost while Alembic ran: whether the last revision is stamped, `alembic current` says",
            why=told,
            fix="run the same command again: it recognises what is done",
        )
    if table not in statement:
        return None
    version_table = sql.Identifier(*filter(None, (schema, table))).as_string()
    kind: type[DatabaseError] = PermissionDeniedError if state == NO_RIGHT else DatabaseError
    if statement.startswith("CREATE"):
        return kind(
            f"Alembic's version table {version_table} cannot be made; nothing was changed",
            why=told,
            fix="run as a role that may CREATE in its schema, or let one that may make it: "
            f"CREATE TABLE {version_table} (version_num varchar(32) PRIMARY KEY), and GRANT ALL on it",
        )
    return kind(
        f"Alembic's version table {version_table} cannot be written; the work of the last revision stays, unstamped",
        why=told,
        fix=f"GRANT SELECT, INSERT, UPDATE, DELETE ON {version_table}, then run the same command again: "
        "it recognises what is done, and stamps",
    )


def _told(error: BaseException | None) -> str:
    lines = " / ".join(line.strip() for line in str(error).splitlines() if line.strip())
    state = getattr(error, "sqlstate", None)
    return f"{lines} ({state})" if state else lines
