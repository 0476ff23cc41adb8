"""Rows that a policy hides would be counted, resolved and guarded by nobody."""

from __future__ import annotations

from .model import Check, of_table

CHECK = Check(
    "row-security",
    "row-level security hides rows from role {role}, so no count can be trusted",
    "plan and run as the table's owner (without FORCE ROW LEVEL SECURITY) or as a role with BYPASSRLS",
    of_table("SELECT current_user AS role FROM {target} AND pg_catalog.row_security_active(c.oid)"),
    halts=True,
)
