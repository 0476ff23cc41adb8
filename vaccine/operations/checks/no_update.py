"""Rows are read, and set."""

from __future__ import annotations

from .model import Check, of_table

CHECK = Check(
    "no-update",
    "role {role} may not SELECT and UPDATE the table",
    "GRANT SELECT, UPDATE to it, or run `alembic upgrade` as a role that may",
    of_table(
        """SELECT current_user AS role FROM {target}
   AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE'))"""
    ),
    elsewhere=True,
    halts=True,
)
