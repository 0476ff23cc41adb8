-- The indexes of those tables, one row each, in no order. pg_get_indexdef is dear, so only for expressions.
SELECT i.indrelid,
       c.relname,
       i.indkey::text AS numbers,
       i.indnkeyatts,
       i.indisunique,
       i.indisprimary,
       i.indisvalid,
       i.indisready,
       CASE WHEN i.indpred IS NULL THEN NULL
            WHEN i.indrelid = ANY ({locked}) THEN 'not_read()'  -- coverage then cannot be told
            ELSE pg_catalog.pg_get_expr(i.indpred, i.indrelid) END AS predicate,
       CASE WHEN i.indexprs IS NOT NULL
            THEN ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k.n + 1, false)
                         FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS k(n)
                        WHERE i.indkey[k.n] = 0 ORDER BY k.n) END AS expressions,
       m.amname,
       {nulls_not_distinct} AS nulls_not_distinct,
       k.contype,
       i.indimmediate,
       CASE WHEN i.indisexclusion
            THEN ARRAY(SELECT o.oprname::text FROM pg_catalog.unnest(k.conexclop) WITH ORDINALITY AS x(oid, n)
                         JOIN pg_catalog.pg_operator o ON o.oid = x.oid ORDER BY x.n) END AS exclusion_operators,
       pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans,
       c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint AS bytes,
       CASE WHEN i.indisunique AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_collation l WHERE NOT l.collisdeterministic) > 0
            THEN EXISTS (SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS k(n)
                           JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n]
                           JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation AND NOT l.collisdeterministic
                          WHERE i.indcollation[k.n] <> a.attcollation)
            ELSE false END AS finer_collation
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = c.relam
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k
         ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
 WHERE c.relpersistence <> 't'
   AND n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_'
