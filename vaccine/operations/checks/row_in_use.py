"""A value that other rows refer to, under a foreign key without ON UPDATE: it may not change."""

from __future__ import annotations

from .model import Check, Stage
from .of_rows import of_rows

CHECK = Check(
    "row-in-use",
    "the foreign key {name} of {source} refers to {columns}, which may not change in a row that is referred to (23503)",
    "choose another --assign, or repoint those rows first",
    of_rows(
        """SELECT x.conname AS name, x.conrelid::pg_catalog.regclass AS source, j.columns, ARRAY[pg_catalog.concat(
       'SELECT pg_catalog.format(''%s rows there refer to rows that would be resolved'', pg_catalog.count(*)) FROM ',
       x.conrelid::pg_catalog.regclass, ' AS vaccine_child WHERE EXISTS (SELECT FROM (', p.found,
       ') AS vaccine_parent WHERE ', j.same, ') HAVING pg_catalog.count(*) > 0')] AS statements
  FROM p
  JOIN pg_catalog.pg_constraint AS x ON x.confrelid = p.oid AND x.contype = 'f' AND x.confupdtype IN ('a', 'r')
   AND x.conparentid = 0
 CROSS JOIN LATERAL (
       SELECT pg_catalog.string_agg(r.attname::text, ', ') FILTER (WHERE u.referred = ANY (p.assigned)),
              pg_catalog.string_agg(pg_catalog.format('vaccine_parent.%I OPERATOR(%I.%s) vaccine_child.%I', r.attname,
                                                      n.nspname, o.oprname, a.attname), ' AND ')
         FROM ROWS FROM (pg_catalog.unnest(x.conkey), pg_catalog.unnest(x.confkey), pg_catalog.unnest(x.conpfeqop))
              AS u (own, referred, equals)
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.conrelid AND a.attnum = u.own
         JOIN pg_catalog.pg_attribute AS r ON r.attrelid = x.confrelid AND r.attnum = u.referred
         JOIN pg_catalog.pg_operator AS o ON o.oid = u.equals
         JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace) AS j (columns, same)
 WHERE NOT p.meddled AND x.confkey && p.assigned
   AND pg_catalog.to_jsonb(x) ->> 'conenforced' IS DISTINCT FROM 'false'
 ORDER BY x.conname"""
    ),
    Stage.ROWS,
    probe=True,
    ignores=("42", "22", "23"),
)
