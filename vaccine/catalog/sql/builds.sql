-- Indexes that another session is building at this moment: INVALID, and no leftover.
SELECT n.nspname, c.relname
  FROM pg_catalog.pg_stat_progress_create_index p
  JOIN pg_catalog.pg_class c ON c.oid = p.index_relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE p.datname = pg_catalog.current_database()
 ORDER BY n.nspname, c.relname
