"""What the journal's owner alone may do until it is granted. LOCK TABLE on image_tables takes UPDATE (manual, LOCK)."""

from __future__ import annotations

from .model import Check, Stage, of_server

CHECK = Check(
    "journal-rights",
    "the journal was made by role {owner}, and this role lacks {lacking} on vaccine.{name}",
    "run as {owner}, or GRANT ALL ON ALL TABLES IN SCHEMA vaccine and ON ALL SEQUENCES IN SCHEMA vaccine to this role",
    of_server(
        """SELECT c.relname AS name, pg_catalog.string_agg(o.privilege, ', ' ORDER BY o.place) AS lacking,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner
  FROM pg_catalog.pg_namespace AS n
  JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
  JOIN (VALUES (1, 'SELECT'), (2, 'INSERT'), (3, 'UPDATE'), (4, 'USAGE')) AS o (place, privilege)
    ON CASE WHEN c.relkind = 'S' THEN o.place = 4
            WHEN c.relname ~ '^images_[0-9]+$' THEN o.place < 3 ELSE o.place < 4 END
 WHERE n.nspname = 'vaccine'
   AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
   AND (c.relkind = 'r' AND (c.relname IN ('journal', 'image_tables', 'vaccination') OR c.relname ~ '^images_[0-9]+$')
        OR c.relkind = 'S' AND c.relname = 'journal_batch_seq')
   AND (c.relname !~ '^images_' OR EXISTS (
        SELECT FROM pg_catalog.pg_description AS d
         WHERE d.objoid = c.oid AND d.objsubid = 0
           AND pg_catalog.starts_with(d.description, pg_catalog.concat(
               'Images of rows of ', {schema}::text, '.', {table}::text, ','))))
   AND CASE WHEN c.relkind = 'S' AND o.place = 4 THEN NOT pg_catalog.has_sequence_privilege(c.oid, o.privilege)
            WHEN c.relkind = 'r' AND o.place < 4 THEN NOT pg_catalog.has_table_privilege(c.oid, o.privilege)
            ELSE FALSE END
 GROUP BY c.relname, c.relkind, c.relowner
 ORDER BY c.relkind <> 'r', c.relname <> 'journal', c.relname"""
    ),
    Stage.TABLE,
    elsewhere=True,
    halts=True,
)
