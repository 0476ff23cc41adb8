"""Journal and index lie in default_tablespace, where the role may have no right to create."""

from __future__ import annotations

from .model import Check, Stage, of_server

CHECK = Check(
    "tablespace",
    "default_tablespace is {name}, in which this role may create neither journal nor index",
    "GRANT CREATE ON TABLESPACE to it, or ALTER ROLE … RESET default_tablespace",
    of_server(
        """SELECT t.spcname AS name FROM pg_catalog.pg_tablespace AS t
  JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
 WHERE t.spcname = pg_catalog.current_setting('default_tablespace') AND t.oid <> d.dattablespace
   AND NOT pg_catalog.has_tablespace_privilege(t.oid, 'CREATE')"""
    ),
    Stage.TABLE,
    elsewhere=True,
)
