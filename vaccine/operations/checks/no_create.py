"""An index lies in the table's schema."""

from __future__ import annotations

from .model import Check, of_table

CHECK = Check(
    "no-create",
    "role {role} may not create in schema {name}, where the index will be",
    "GRANT CREATE ON SCHEMA to it, or run `alembic upgrade` as a role that may",
    of_table(
        """SELECT current_user AS role, n.nspname AS name
  FROM {target} AND NOT pg_catalog.has_schema_privilege(n.oid, 'CREATE')"""
    ),
    elsewhere=True,
)
