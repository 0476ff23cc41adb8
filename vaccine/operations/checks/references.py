"""Rows of other tables that refer to rows that would be resolved: they go on referring to them."""

from __future__ import annotations

from .model import Check, Stage
from .of_rows import of_rows

CHECK = Check(
    "references",
    "the foreign key {name} of {source} (ON DELETE {action}) points here",
    "they go on referring to rows that are retired, and ON DELETE says what would happen if those were deleted later; "
    "repoint them to the survivor in the application if it follows such references",
    of_rows(
        """SELECT x.conname AS name, x.conrelid::pg_catalog.regclass AS source,
       CASE x.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
                          WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END AS action, ARRAY[pg_catalog.concat(
       'SELECT pg_catalog.format(''%s rows there refer to rows that would be resolved'', pg_catalog.count(*)) FROM ',
       x.conrelid::pg_catalog.regclass, ' AS vaccine_child WHERE EXISTS (SELECT FROM (', p.found,
       ') AS vaccine_parent WHERE ', j.same, ') HAVING pg_catalog.count(*) > 0')] AS statements
  FROM p
  JOIN pg_catalog.pg_constraint AS x ON x.confrelid = p.oid AND x.contype = 'f' AND x.conparentid = 0
 CROSS JOIN LATERAL (
       SELECT pg_catalog.string_agg(pg_catalog.format('vaccine_parent.%I OPERATOR(%I.%s) vaccine_child.%I', r.attname,
                                                      n.nspname, o.oprname, a.attname), ' AND ')
         FROM ROWS FROM (pg_catalog.unnest(x.conkey), pg_catalog.unnest(x.confkey), pg_catalog.unnest(x.conpfeqop))
              AS u (own, referred, equals)
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.conrelid AND a.attnum = u.own
         JOIN pg_catalog.pg_attribute AS r ON r.attrelid = x.confrelid AND r.attnum = u.referred
         JOIN pg_catalog.pg_operator AS o ON o.oid = u.equals
         JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace) AS j (same)
 ORDER BY x.conname"""
    ),
    Stage.ROWS,
    blocking=False,
    probe=True,
    ignores=("42", "22"),
)
