-- What an audit needs to know of the server, the database and the role. One row.
SELECT pg_catalog.current_setting('server_version') AS server_version,
       pg_catalog.current_setting('server_version_num')::int AS server_version_num,
       pg_catalog.current_database() AS database,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       ARRAY(SELECT e.extname::text FROM pg_catalog.pg_extension e ORDER BY e.extname) AS extensions,
       (SELECT s.stats_reset::text FROM pg_catalog.pg_stat_database s
         WHERE s.datname = pg_catalog.current_database()) AS stats_reset_at,
       (SELECT n.nspname::text FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_stat_statements') AS statements_schema
