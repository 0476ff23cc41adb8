-- The labels of every enumerated type, in its own order.
SELECT e.enumtypid, pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
  FROM pg_catalog.pg_enum e
 GROUP BY e.enumtypid
 ORDER BY e.enumtypid
