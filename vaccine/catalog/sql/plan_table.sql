-- One table as a plan needs it: identity, sizes, rights, and what makes a vaccination impossible.
SELECT c.oid::bigint AS oid,
       c.relkind::text AS kind,
       c.relpersistence::text AS persistence,
       pg_catalog.pg_table_size(c.oid) AS table_bytes,
       c.reltuples::float8 AS rows_estimate,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS is_owner,
       pg_catalog.has_schema_privilege(c.relnamespace, 'CREATE') AS may_create,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AS may_select,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS may_create_schema,
       EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = 'vaccine') AS has_vaccine_schema,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
       pg_catalog.row_security_active(c.oid) AS row_security,
       c.relispartition AS is_partition,
       EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS has_children,
       c.relreplident::text AS replica_identity,
       EXISTS (SELECT FROM pg_catalog.pg_publication_tables p
                WHERE p.schemaname = n.nspname AND p.tablename = c.relname) AS published,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_constraint f
         WHERE f.confrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0) AS inbound_foreign_keys
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s
   AND c.relname = %(table)s
   AND c.relkind IN ('r', 'p');
