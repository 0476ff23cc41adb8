-- Ordinary and partitioned tables outside the system's schemas, one row each.
SELECT c.oid,
       n.nspname,
       c.relname,
       c.relkind,
       CASE WHEN c.relpages > 0 AND c.reltuples >= 0 THEN c.reltuples::float8
            ELSE nullif(pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::float8 END AS rows_estimate,
       c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint AS bytes,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS inserts,
       CASE WHEN c.relispartition THEN p.inhparent END AS partition_of,
       NOT c.relispartition AND (p.inhrelid IS NOT NULL OR c.relkind = 'r' AND c.relhassubclass) AS inherits,
       c.relrowsecurity AND pg_catalog.row_security_active(c.oid) AS row_security,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS selectable,
       d.description,
       EXISTS (SELECT FROM pg_catalog.pg_depend x
                WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND x.objid = c.oid AND x.deptype = 'e') AS of_extension
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_inherits p ON p.inhrelid = c.oid AND p.inhseqno = 1
  LEFT JOIN pg_catalog.pg_description d
         ON d.objoid = c.oid AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid = 0
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_'
 ORDER BY n.nspname, c.relname
