-- Functions and types by their names, a row a schema, with the least volatility of the functions: i before s before v.
SELECT n.nspname::text AS schema, f.name::text AS name, f.kind, f.volatility::text AS volatility
  FROM (SELECT p.pronamespace AS namespace, p.proname AS name, 'function' AS kind, min(p.provolatile) AS volatility
          FROM pg_catalog.pg_proc p
         WHERE p.proname = ANY (%(names)s::name[])
         GROUP BY p.pronamespace, p.proname
        UNION ALL
        SELECT t.typnamespace, t.typname, 'type', NULL
          FROM pg_catalog.pg_type t
         WHERE t.typname = ANY (%(names)s::name[])) AS f
  JOIN pg_catalog.pg_namespace n ON n.oid = f.namespace
 WHERE n.nspname = 'pg_catalog' OR n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
