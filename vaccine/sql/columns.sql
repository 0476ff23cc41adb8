-- The columns of those tables, one row each, in the table's order.
SELECT a.attrelid,
       a.attname,
       a.attnum,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull OR t.typnotnull AS not_null,
       CASE WHEN a.atthasdef AND a.attrelid <> ALL ({locked}) THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS default_expression,
       a.attgenerated,
       a.attidentity,
       t.typcategory,
       CASE WHEN t.typcategory = 'E' THEN coalesce(nullif(t.typbasetype, 0), t.oid) END AS enum_type,
       s.description
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_description s
         ON s.objoid = a.attrelid AND s.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND s.objsubid = a.attnum
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_'
   AND a.attnum > 0
   AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
