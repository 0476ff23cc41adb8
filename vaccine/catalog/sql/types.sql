-- The types that columns have, each with its modifier: as it is written, its category, and an enumerated type's labels.
SELECT u.oid,
       u.modifier,
       pg_catalog.format_type(u.oid, u.modifier) AS type,
       t.typcategory,
       t.typnotnull,
       CASE WHEN t.typcategory = 'E'
            THEN ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
                        WHERE e.enumtypid = coalesce(nullif(t.typbasetype, 0), t.oid) ORDER BY e.enumsortorder)
            ELSE '{}' END AS labels
  FROM ROWS FROM (pg_catalog.unnest(%(oids)s::oid[]), pg_catalog.unnest(%(modifiers)s::int[])) AS u(oid, modifier)
  JOIN pg_catalog.pg_type t ON t.oid = u.oid
