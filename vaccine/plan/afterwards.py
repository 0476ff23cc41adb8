"""What writers will see once the index is there, and the exact upsert that can use it."""

from __future__ import annotations

import psycopg
from psycopg import sql

from vaccine.plan.model import Vaccination


def describe(connection: psycopg.Connection, of: Vaccination) -> tuple[str, ...]:
    """Lines for the DBA and the writers' owners. Directus is named only where its tables exist."""
    lines = [
        f"a duplicate fails with 23505, constraint {of.index_name}",
        f"an upsert needs {conflict_clause(of)}, its WHERE in literals (a parameter: 42P10)",
        "ship the handling of 23505, then upgrade, then ship ON CONFLICT",
    ]
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'directus_fields' AND relkind = 'r')"
    ).fetchone()
    if row and row[0]:
        fields = ", ".join(of.columns)
        lines.append(f"Directus answers HTTP 400 RECORD_NOT_UNIQUE, extensions.field = {fields}")
    return tuple(lines)


def conflict_clause(of: Vaccination) -> str:
    """The ON CONFLICT clause that infers the index: its WHERE must imply the whole of the index predicate (INSERT)."""
    columns = sql.SQL(", ").join(map(sql.Identifier, of.columns)).as_string()
    where = f" WHERE {of.where}" if of.where else ""
    return f"ON CONFLICT ({columns}){where} DO NOTHING"
