"""A btree entry holds a third of a page: the long keys are tried out in a temporary index."""

from __future__ import annotations

from .model import Check, Stage, of_table

WIDE_BYTES = 2600  # a btree entry holds 2704 bytes, its header included (manual, section 64.1)

# A row of more than a quarter of a page is compressed and then moved into the TOAST table (manual, section 66.2), and a
# btree entry may take a third of a page: where nothing was ever moved out, every key fits, and no row is looked at.
WIDE = """SELECT pg_catalog.string_agg(pg_catalog.format('pg_catalog.octet_length(%I::text)', a.attname), ' + ')
  FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_class AS r ON r.oid = a.attrelid
 WHERE a.attrelid = c.oid AND a.attname = ANY ({columns}) AND NOT a.attisdropped AND t.typlen = -1
   AND (a.atttypmod < 0 OR a.atttypmod > 600) AND t.typcategory IN ('S', 'U', 'A', 'D')
   AND pg_catalog.format_type(t.oid, NULL) NOT IN ('numeric')
   AND NOT (a.attstorage IN ('x', 'e') AND r.reltoastrelid <> 0 AND pg_catalog.pg_relation_size(r.reltoastrelid) = 0
            AND NOT EXISTS (SELECT FROM pg_catalog.unnest(r.reloptions) AS o (text)
                             WHERE o.text LIKE 'toast_tuple_target=%'))"""

CHECK = Check(
    "key-too-wide",
    "a live key is too wide for a btree index",
    "shorten it, or guard a hash of it",
    of_table(
        f"""SELECT ARRAY[
       pg_catalog.concat('CREATE TEMPORARY TABLE vaccine_wide AS SELECT ', {{key_list}}, ' FROM ', s.source, ' WHERE ',
                         {{live}}, ' AND ', s.width, ' > {WIDE_BYTES}'),
       pg_catalog.concat('CREATE INDEX ON pg_temp.vaccine_wide (', {{key_list}}, ')'),
       'SELECT NULL::text'] AS statements
  FROM (SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || pg_catalog.format('%I.%I', n.nspname, c.relname),
               ({WIDE}) FROM {{target}}) AS s (source, width)
 WHERE s.width IS NOT NULL"""
    ),
    Stage.INDEX,
    probe=True,
    writes=True,
    ignores=("42",),
)
