"""What the role must be allowed to do, and what of the table would make its updates fail."""

from __future__ import annotations

import psycopg
from psycopg import sql

from ..key import Key
from ..table import TargetTable

PRIVILEGES = """
SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE'),
       pg_catalog.has_schema_privilege(c.relnamespace, 'CREATE'),
       pg_catalog.has_table_privilege(c.oid, 'SELECT'),
       pg_catalog.has_table_privilege(c.oid, 'UPDATE'),
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY'),
       CASE WHEN pg_catalog.to_regnamespace('vaccine') IS NULL
            THEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
            ELSE pg_catalog.has_schema_privilege('vaccine', 'USAGE')
                 AND pg_catalog.has_schema_privilege('vaccine', 'CREATE') END,
       pg_catalog.to_regnamespace('vaccine') IS NOT NULL,
       pg_catalog.row_security_active(c.oid),
       current_user::text, pg_catalog.pg_get_userbyid(c.relowner)::text
  FROM pg_catalog.pg_class c
 WHERE c.oid = %s
"""

REPLICA_IDENTITY = """
SELECT p.pubname::text, c.relreplident::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_publication_tables pt ON pt.schemaname = n.nspname AND pt.tablename = c.relname
  JOIN pg_catalog.pg_publication p ON p.pubname = pt.pubname AND p.pubupdate
 WHERE c.oid = %s
   AND (c.relreplident = 'n'
        OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i
                                                 WHERE i.indrelid = c.oid AND i.indisprimary)
        OR c.relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i
                                                 WHERE i.indrelid = c.oid AND i.indisreplident))
 LIMIT 1
"""

# What the journal's owner alone may do until it is granted. LOCK TABLE on image_tables takes UPDATE (manual, LOCK).
OF_JOURNAL = """
SELECT o.name, pg_catalog.string_agg(o.privilege, ', ' ORDER BY o.place), pg_catalog.pg_get_userbyid(c.relowner)::text
  FROM (VALUES (1, 'journal', 'SELECT'), (2, 'journal', 'INSERT'), (3, 'journal', 'UPDATE'),
               (4, 'image_tables', 'SELECT'), (5, 'image_tables', 'INSERT'), (6, 'image_tables', 'UPDATE'),
               (7, 'journal_batch_seq', 'USAGE'), (8, 'vaccination', 'SELECT'), (9, 'vaccination', 'INSERT'),
               (10, 'vaccination', 'UPDATE')) AS o (place, name, privilege)
  JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'vaccine'
  JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = o.name
 WHERE CASE c.relkind WHEN 'S' THEN NOT pg_catalog.has_sequence_privilege(c.oid, o.privilege)
            ELSE NOT pg_catalog.has_table_privilege(c.oid, o.privilege) END
 GROUP BY o.name, c.relowner
 ORDER BY min(o.place)
"""

OF_IMAGES = """
SELECT i.images, 'SELECT, INSERT', pg_catalog.pg_get_userbyid(c.relowner)::text
  FROM vaccine.image_tables AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass('vaccine.' || i.images)
 WHERE i.schema_name = %s AND i.table_name = %s
   AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT'))
 ORDER BY i.images
"""


def missing_on_journal(connection: psycopg.Connection, key: Key) -> list[str]:
    """What the session's role lacks on a journal that another role has made; in words."""
    usable = "SELECT pg_catalog.to_regclass('vaccine.journal') IS NOT NULL AND pg_catalog.has_schema_privilege({}, {})"
    row = connection.execute(sql.SQL(usable).format("vaccine", "USAGE")).fetchone()
    if row is None or not row[0]:
        return []
    lacking = connection.execute(OF_JOURNAL).fetchall()
    if not lacking:
        lacking = connection.execute(OF_IMAGES, (key.schema, key.table)).fetchall()
    return [
        f"the journal was made by role {owner}, and this role lacks {privileges} on vaccine.{name}: run as {owner}, or "
        "GRANT ALL ON ALL TABLES IN SCHEMA vaccine and ON ALL SEQUENCES IN SCHEMA vaccine to this role"
        for name, privileges, owner in lacking
    ]


def missing_rights(connection: psycopg.Connection, table: TargetTable) -> list[str]:
    """What the session's role lacks to resolve rows of the table, keep their images and build an index; in words."""
    row = connection.execute(PRIVILEGES, (table.oid,)).fetchone()
    assert row is not None
    owner, create, select, update, temporary, journal, made, hidden, user, owner_name = row
    reasons = []
    if not owner:
        reasons.append(f"role {user} does not own the table, which an index needs: run as {owner_name} or a member")
    if not create:
        reasons.append(f"role {user} may not create in schema {table.schema}: GRANT CREATE ON SCHEMA to it")
    if not (select and update):
        reasons.append(f"role {user} may not SELECT and UPDATE the table: GRANT SELECT, UPDATE to it")
    if not temporary:
        reasons.append(f"role {user} may not make temporary tables: GRANT TEMPORARY ON DATABASE to it")
    if not journal and made:
        reasons.append(
            f"role {user} may not create in schema vaccine, where the journal is: "
            "GRANT USAGE, CREATE ON SCHEMA vaccine to it"
        )
    elif not journal:
        reasons.append(
            f"role {user} may not make the schema vaccine, where the journal will be: "
            f"GRANT CREATE ON DATABASE to it, or let another role CREATE SCHEMA vaccine AUTHORIZATION {user}"
        )
    if hidden:
        reasons.append(f"row-level security hides rows from role {user}: run as a role with BYPASSRLS")
    published = connection.execute(REPLICA_IDENTITY, (table.oid,)).fetchone()
    if published is not None:
        reasons.append(
            f"the table is in publication {published[0]} without a replica identity, so that an UPDATE fails (55000): "
            "ALTER TABLE … REPLICA IDENTITY DEFAULT"
        )
    return reasons
