-- Tables that another session holds or awaits in ACCESS EXCLUSIVE mode: pg_get_expr would wait for it (18).
SELECT DISTINCT l.relation
  FROM pg_catalog.pg_locks l
 WHERE l.locktype = 'relation'
   AND l.mode = 'AccessExclusiveLock'
   AND l.pid <> pg_catalog.pg_backend_pid()
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
 ORDER BY l.relation
