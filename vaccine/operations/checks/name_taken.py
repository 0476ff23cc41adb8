"""The index's name belongs to another relation, or to an index on another table."""

from __future__ import annotations

from .model import Check, Stage, of_server

CHECK = Check(
    "name-taken",
    "the name {name} is taken in schema {schema} by {by}",
    "drop or rename that, or choose another name with --name",
    of_server(
        """SELECT r.relname AS name, n.nspname AS schema,
       CASE r.relkind WHEN 'r' THEN 'a table' WHEN 'p' THEN 'a partitioned table' WHEN 'v' THEN 'a view'
                      WHEN 'm' THEN 'a materialized view' WHEN 'S' THEN 'a sequence' WHEN 'f' THEN 'a foreign table'
                      WHEN 'c' THEN 'a type' WHEN 'I' THEN 'an index of a partitioned table'
                      ELSE pg_catalog.pg_get_indexdef(r.oid) END AS by
  FROM pg_catalog.pg_class AS r
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = r.oid
  LEFT JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid AND t.relnamespace = n.oid
 WHERE n.nspname = {schema} AND r.relname = {index} AND (r.relkind <> 'i' OR t.relname IS DISTINCT FROM {table})"""
    ),
    Stage.INDEX,
)
