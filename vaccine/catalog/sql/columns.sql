-- The columns of those tables, one row each; sorting and types are left to the caller, for whom they are cheaper.
SELECT a.attrelid,
       a.attname,
       a.attnum,
       a.atttypid,
       a.atttypmod,
       a.attnotnull,
       CASE WHEN a.atthasdef AND a.attrelid <> ALL ({locked}) THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS default_expression,
       a.attgenerated,
       a.attidentity,
       s.description
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_description s
         ON s.objoid = a.attrelid AND s.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND s.objsubid = a.attnum
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_'
   AND a.attnum > 0
   AND NOT a.attisdropped
