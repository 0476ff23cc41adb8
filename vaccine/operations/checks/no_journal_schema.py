"""The journal lies in the schema `vaccine`, which is made when it is first needed."""

from __future__ import annotations

from .model import Check, Stage, of_server

CHECK = Check(
    "no-create-schema",
    "role {role} may not {what}",
    "{grant}, or run `alembic upgrade` as a role that may",
    of_server(
        """SELECT current_user AS role, s.what, s.grant_it AS grant
  FROM (SELECT CASE WHEN v.oid IS NULL THEN 'make the schema vaccine, where the journal will be'
                    ELSE 'create in schema vaccine, where the journal is' END,
               CASE WHEN v.oid IS NULL
                    THEN pg_catalog.format('GRANT CREATE ON DATABASE to it, or let another role CREATE SCHEMA vaccine '
                                           'AUTHORIZATION %I', current_user)
                    ELSE 'GRANT USAGE, CREATE ON SCHEMA vaccine to it' END,
               CASE WHEN v.oid IS NULL
                    THEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
                    ELSE pg_catalog.has_schema_privilege(v.oid, 'USAGE')
                         AND pg_catalog.has_schema_privilege(v.oid, 'CREATE') END
          FROM (SELECT pg_catalog.to_regnamespace('vaccine')) AS v (oid)) AS s (what, grant_it, may)
 WHERE NOT s.may"""
    ),
    Stage.TABLE,
    elsewhere=True,
)
