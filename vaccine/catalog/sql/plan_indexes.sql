-- The indexes of one table, with the columns that each reads in its key, expressions and predicate.
SELECT i.relname::text AS name,
       pg_catalog.pg_get_indexdef(x.indexrelid) AS definition,
       x.indisunique AS is_unique,
       x.indisvalid AS is_valid,
       x.indisready AS is_ready,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = d.refobjsubid
              WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                AND d.objid = x.indexrelid
                AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                AND d.refobjid = x.indrelid
                AND d.refobjsubid > 0
              ORDER BY a.attname) AS reads,
       pg_catalog.pg_get_expr(x.indpred, x.indrelid) AS predicate
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
 WHERE x.indrelid = %(oid)s
 ORDER BY i.relname;
