-- Foreign keys, CHECK constraints, and (18) NOT NULL constraints that were never validated.
SELECT k.conrelid,
       k.contype,
       k.conname,
       k.conkey,
       k.confrelid,
       k.confkey,
       CASE WHEN k.contype = 'c' AND k.conrelid <> ALL ({locked}) THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid) END AS expression
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
 WHERE (k.contype IN ('f', 'c') OR k.contype = 'n' AND NOT k.convalidated)
   AND k.conrelid <> 0
   AND n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_'
 ORDER BY k.conrelid, k.conname
