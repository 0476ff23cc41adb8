-- The planner's statistics that the role may see, one row for each column that has any.
SELECT s.schemaname, s.tablename, s.attname, s.null_frac, s.n_distinct, s.most_common_freqs[1] AS common_frac
  FROM pg_catalog.pg_stats s
 WHERE s.schemaname <> 'information_schema'
   AND s.schemaname !~ '^pg_'
   AND NOT s.inherited
 ORDER BY s.schemaname, s.tablename, s.attname
