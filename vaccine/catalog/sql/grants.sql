-- Roles beside the owner that may INSERT, one row a table; PUBLIC is role 0.
SELECT g.oid, pg_catalog.array_agg(DISTINCT coalesce(r.rolname::text, 'PUBLIC')) AS roles
  FROM (SELECT c.oid, c.relowner, (pg_catalog.aclexplode(c.relacl)).*
          FROM pg_catalog.pg_class c
         WHERE c.relkind IN ('r', 'p') AND c.relacl IS NOT NULL) AS g
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
 WHERE g.privilege_type = 'INSERT' AND g.grantee <> g.relowner
 GROUP BY g.oid
 ORDER BY g.oid
