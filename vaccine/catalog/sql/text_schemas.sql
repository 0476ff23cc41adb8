-- Schemas with types that have operators of their own, as citext has; and whether they may stand in the search_path:
-- nobody but this role and superusers may create anything there, nor did.
WITH trusted AS (
       SELECT r.oid
         FROM pg_catalog.pg_roles r
        WHERE r.rolsuper OR r.rolname = current_user
       UNION ALL
       SELECT o.oid
         FROM pg_catalog.pg_roles o, pg_catalog.pg_database d, pg_catalog.pg_roles r
        WHERE o.rolname = 'pg_database_owner' AND d.datname = pg_catalog.current_database() AND r.oid = d.datdba
          AND (r.rolsuper OR r.rolname = current_user))
SELECT n.nspname::text AS schema,
       n.nspowner IN (SELECT t.oid FROM trusted t)
       AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) a
                        WHERE a.privilege_type = 'CREATE' AND a.grantee NOT IN (SELECT t.oid FROM trusted t))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc p
                        WHERE p.pronamespace = n.oid AND p.proowner NOT IN (SELECT t.oid FROM trusted t))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_operator o
                        WHERE o.oprnamespace = n.oid AND o.oprowner NOT IN (SELECT t.oid FROM trusted t)) AS safe,
       coalesce((WITH RECURSIVE base (attname, type) AS (
                        SELECT a.attname, a.atttypid
                          FROM pg_catalog.pg_attribute a
                          JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
                          JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
                         WHERE s.nspname = %(schema)s AND c.relname = %(table)s AND a.attnum > 0 AND NOT a.attisdropped
                        UNION ALL
                        SELECT b.attname, t.typbasetype
                          FROM base b
                          JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd')
                 SELECT pg_catalog.array_agg(b.attname::text)
                   FROM base b
                   JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'b' AND t.typelem = 0
                  WHERE t.typnamespace = n.oid), '{}') AS columns
  FROM pg_catalog.pg_namespace n
 WHERE n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
   AND EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace = n.oid AND t.typtype = 'b' AND t.typelem = 0)
 ORDER BY n.nspname
