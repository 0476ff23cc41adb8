-- Who a concurrent index build would wait for now: writers of the table, and every old snapshot in the database.
SELECT a.pid,
       coalesce(nullif(a.application_name, ''), '?') AS application,
       coalesce(a.usename::text, '?') AS username,
       coalesce(a.state, '?') AS state,
       extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8 AS age_s,
       w.pid IS NOT NULL AS wrote
  FROM pg_catalog.pg_stat_activity a
  LEFT JOIN (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l
              WHERE l.relation = %(oid)s AND l.granted AND l.mode IN
                    ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                     'ExclusiveLock', 'AccessExclusiveLock')) w ON w.pid = a.pid
 WHERE a.datname = pg_catalog.current_database()
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.backend_type = 'client backend'
   AND (a.backend_xmin IS NOT NULL OR w.pid IS NOT NULL)
   AND a.xact_start < pg_catalog.clock_timestamp() - interval '1 second'
 ORDER BY a.xact_start
 LIMIT 5;
