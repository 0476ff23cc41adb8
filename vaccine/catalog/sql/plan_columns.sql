-- The columns of one table, with what decides whether they may be assigned, and how wide they are.
SELECT a.attname::text AS name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull AS not_null,
       a.attgenerated::text AS generated,
       a.attidentity::text AS identity,
       ps.avg_width AS average_width,
       pg_catalog.array_position(k.conkey, a.attnum) AS primary_key_position
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stats ps
    ON ps.schemaname = n.nspname AND ps.tablename = c.relname AND ps.attname = a.attname AND NOT ps.inherited
  LEFT JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
 WHERE a.attrelid = %(oid)s
   AND a.attnum > 0
   AND NOT a.attisdropped
 ORDER BY a.attnum;
