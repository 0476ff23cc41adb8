"""The work table is temporary."""

from __future__ import annotations

from .model import Check, Stage, of_server

CHECK = Check(
    "no-temporary",
    "role {role} may not make temporary tables",
    "GRANT TEMPORARY ON DATABASE to it, or run `alembic upgrade` as a role that may",
    of_server(
        """SELECT current_user AS role
 WHERE NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')"""
    ),
    Stage.TABLE,
    elsewhere=True,
    halts=True,
)
