"""The audited database, made again from what its report states: for the demo and for the tests.

What each table stands for, and where the report contradicts itself: docs/audit-database.md.
"""

from __future__ import annotations

from importlib.resources import files

import psycopg


def load_audit_database(connection: psycopg.Connection) -> None:
    """Make the audited database in an empty one; takes a few seconds.

    The statistics of the load are forgotten at the end: it is not one of the application's writers.

    Args:
        connection: an autocommit connection of a role that may create tables in the schema `public`.

    Raises:
        psycopg.Error: the database was not empty, or the role may not create tables; nothing is left behind.
    """
    folder = files("vaccine.demo") / "audit_database"
    scripts = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    with connection.transaction():
        connection.execute("SET LOCAL search_path = public")
        connection.execute("SET LOCAL client_min_messages = warning")
        for script in scripts:
            connection.execute(script.read_bytes())
    connection.execute("ANALYZE")
    # A backend reports its counters up to a second late; 15 and later can be asked to do it at once.
    if connection.info.server_version >= 150000:
        connection.execute("SELECT pg_catalog.pg_stat_force_next_flush()")
    connection.execute("SELECT pg_catalog.pg_stat_reset()")
