-- What applications run in this database, by the extension pg_stat_statements, the most called first: statements that
-- insert, statements that find one row at most, and how many texts of other roles this role may not see.
SELECT ranked.kind, ranked.text, ranked.calls, ranked.statements
  FROM (SELECT seen.kind,
               seen.text,
               pg_catalog.sum(seen.calls)::bigint AS calls,
               pg_catalog.count(*) AS statements,
               pg_catalog.row_number() OVER (PARTITION BY seen.kind ORDER BY pg_catalog.sum(seen.calls) DESC, seen.text) AS place
          FROM (SELECT CASE WHEN s.query = '<insufficient privilege>' THEN 'hidden'
                            WHEN s.query ~* '\y(insert|merge)\s+into\y' THEN 'insert'
                            WHEN s.query ~* '\yselect\y.*\ywhere\y' AND pg_catalog.length(s.query) <= {length} THEN 'lookup'
                       END AS kind,
                       pg_catalog."left"(s.query, {length}) AS text,  -- a cut lookup would have lost conditions
                       s.calls,
                       s.rows
                  FROM {statements} s
                  JOIN pg_catalog.pg_database d ON d.oid = s.dbid
                 WHERE d.datname = pg_catalog.current_database()) AS seen
         WHERE seen.kind IS NOT NULL
         GROUP BY seen.kind, seen.text
        HAVING seen.kind <> 'lookup'
            OR pg_catalog.sum(seen.calls) >= {calls} AND pg_catalog.sum(seen.rows) <= {rows_a_call} * pg_catalog.sum(seen.calls)) AS ranked
 WHERE ranked.place <= {most}
 ORDER BY ranked.kind, ranked.place
