"""A publication's row filter or column list must be covered by the replica identity, or an UPDATE fails (42P10)."""

from __future__ import annotations

from .model import Check, of_table

# pg_publication_rel has prqual and prattrs from 15 on: read through jsonb, so that one text serves all versions.
CHECK = Check(
    "publication-columns",
    "publication {publication} {what}, so that an UPDATE fails (42P10): {names}",
    "ALTER TABLE … REPLICA IDENTITY FULL or USING INDEX, or change the publication",
    of_table(
        """SELECT p.pubname AS publication, s.what, pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attnum) AS names
  FROM (SELECT c.oid, c.relreplident FROM {target}) AS c
  JOIN pg_catalog.pg_publication_rel AS r ON r.prrelid = c.oid
  JOIN pg_catalog.pg_publication AS p ON p.oid = r.prpubid AND p.pubupdate
 CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(r) ->> 'prqual', pg_catalog.to_jsonb(r) ->> 'prattrs')
                    AS j (qual, attrs)
 CROSS JOIN (VALUES (1, 'filters rows by columns that the replica identity does not cover'),
                    (2, 'leaves out columns of the replica identity')) AS s (place, what)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 CROSS JOIN LATERAL (
       SELECT c.relreplident = 'f' OR EXISTS (
              SELECT FROM pg_catalog.pg_index AS i
               WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])
                 AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END)) AS k (covered)
 WHERE CASE s.place WHEN 1
       THEN j.qual IS NOT NULL AND NOT k.covered
            AND j.qual ~ pg_catalog.concat(':varattno ', a.attnum::text, ' ')
       ELSE j.attrs IS NOT NULL AND k.covered
            AND a.attnum::text <> ALL (pg_catalog.regexp_split_to_array(pg_catalog.btrim(j.attrs, '[] '), '[, ]+')) END
 GROUP BY p.pubname, s.what
 ORDER BY p.pubname, s.what"""
    ),
)
