"""A published UPDATE needs a replica identity; without one it fails (55000)."""

from __future__ import annotations

from .model import Check, of_table

CHECK = Check(
    "replica-identity",
    "the table is in publication {publication} without a replica identity, so that an UPDATE fails (55000)",
    "ALTER TABLE … REPLICA IDENTITY DEFAULT (it needs a primary key) or FULL, or publish no updates of it",
    of_table(
        """SELECT p.pubname AS publication
  FROM (SELECT c.oid, c.relname, n.nspname, c.relreplident FROM {target}) AS c
  JOIN pg_catalog.pg_publication_tables AS t ON t.schemaname = c.nspname AND t.tablename = c.relname
  JOIN pg_catalog.pg_publication AS p ON p.pubname = t.pubname AND p.pubupdate
 WHERE c.relreplident = 'n'
    OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i
                                             WHERE i.indrelid = c.oid AND i.indisprimary)
    OR c.relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i
                                             WHERE i.indrelid = c.oid AND i.indisreplident)
 ORDER BY p.pubname LIMIT 1"""
    ),
)
