"""Whether rows would have to be resolved, asked without a work table: for what blocks only then."""

from __future__ import annotations

# The statement of a probe that finds duplicate groups, for the pg_class row `c`; the rows kept by hand count too.
COUNTED = """ARRAY[pg_catalog.concat(
  'SELECT pg_catalog.format(''%s rows in %s groups'', pg_catalog.sum(g.rows) - pg_catalog.count(*), ',
  'pg_catalog.count(*)) FROM (SELECT pg_catalog.count(*) FROM ', CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END,
  pg_catalog.format('%I.%I', n.nspname, c.relname), ' WHERE ', {live}, ' GROUP BY ', {key_list},
  ' HAVING pg_catalog.count(*) > 1) AS g (rows) HAVING pg_catalog.count(*) > 0')]"""
