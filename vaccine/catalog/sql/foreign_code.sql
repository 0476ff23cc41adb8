-- What runs somebody's code by its name: functions, operators, types with a cast or a CHECK; of roles that are neither
-- this one nor a superuser.
WITH strange AS (
       SELECT p.oid, p.pronamespace, p.proname, p.proowner
         FROM pg_catalog.pg_proc p
         JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
        WHERE NOT r.rolsuper AND r.rolname <> current_user)
SELECT n.nspname::text AS schema, f.name::text AS name, pg_catalog.pg_get_userbyid(f.owner)::text AS owner
  FROM (SELECT s.pronamespace AS namespace, s.proname AS name, s.proowner AS owner FROM strange s
        UNION ALL
        SELECT o.oprnamespace, o.oprname, s.proowner FROM pg_catalog.pg_operator o JOIN strange s ON s.oid = o.oprcode
        UNION ALL
        SELECT t.typnamespace, t.typname, s.proowner
          FROM pg_catalog.pg_cast c
          JOIN strange s ON s.oid = c.castfunc
          JOIN pg_catalog.pg_type t ON t.oid IN (c.castsource, c.casttarget) AND t.oid >= 16384
        UNION ALL
        SELECT t.typnamespace, t.typname, t.typowner
          FROM pg_catalog.pg_type t
          JOIN pg_catalog.pg_roles r ON r.oid = t.typowner
         WHERE t.typtype = 'd' AND NOT r.rolsuper AND r.rolname <> current_user
           AND EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')) AS f
  JOIN pg_catalog.pg_namespace n ON n.oid = f.namespace
 GROUP BY n.nspname, f.name, f.owner
