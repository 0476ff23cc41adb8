-- Statements of this database that insert, the most called first (extension pg_stat_statements).
SELECT s.query, sum(s.calls)::bigint AS calls
  FROM {statements} s
  JOIN pg_catalog.pg_database d ON d.oid = s.dbid
 WHERE d.datname = pg_catalog.current_database()
   AND s.query ~* '\y(insert|merge)\s+into\y'
 GROUP BY s.query
 ORDER BY 2 DESC, 1
 LIMIT 2000
