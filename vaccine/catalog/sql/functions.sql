-- Functions and procedures of the users whose body may insert rows.
SELECT n.nspname, p.proname, l.lanname, pg_catalog."left"(p.prosrc, 200000) AS body, p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype AS is_trigger
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
 WHERE n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_'
   AND l.lanname NOT IN ('c', 'internal')
   AND (p.prosrc ILIKE '%insert%' OR p.prosrc ILIKE '%merge%')
 ORDER BY n.nspname, p.proname, p.oid
