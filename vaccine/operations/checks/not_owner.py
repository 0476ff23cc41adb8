"""An index is made by the table's owner."""

from __future__ import annotations

from .model import Check, of_table

CHECK = Check(
    "not-owner",
    "role {role} does not own the table, which an index needs",
    "run `alembic upgrade` as {owner} or a member of it",
    of_table(
        """SELECT current_user AS role, pg_catalog.pg_get_userbyid(c.relowner) AS owner
  FROM {target} AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')"""
    ),
    elsewhere=True,
)
