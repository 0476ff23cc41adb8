-- The relation that already has a name in a schema, with its kind and, for an index, its table.
SELECT c.relkind::text AS kind,
       (SELECT t.relname::text FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
         WHERE x.indexrelid = c.oid) AS index_of,
       CASE WHEN c.relkind IN ('i', 'I') THEN pg_catalog.pg_get_indexdef(c.oid) END AS definition
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s
   AND c.relname = %(name)s;
