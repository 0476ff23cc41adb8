"""Another unique index that reads an assigned column: two rows would be the same to it."""

from __future__ import annotations

from .model import Check, Stage
from .of_rows import of_rows

# The excess rows as they would be, and all others as they are. One over a generated column is left to the trial.
CHECK = Check(
    "collision",
    "resolving rows would make them collide in the unique index {name}, {definition} (23505)",
    "choose another value with --assign, one that differs from row to row, or resolve those rows by hand",
    of_rows(
        """SELECT x.indexrelid::pg_catalog.regclass AS name, pg_catalog.pg_get_indexdef(x.indexrelid) AS definition,
       ARRAY[pg_catalog.concat(
         'SELECT pg_catalog.format(''%s times'', pg_catalog.count(*)) FROM (SELECT FROM (SELECT TRUE AS vaccine_new, ',
         i.keys, ' FROM (', p.after, ') AS ', pg_catalog.quote_ident(p.relname), i.condition,
         ' UNION ALL SELECT FALSE, ', i.keys, ' FROM (SELECT t.* FROM ', p.source,
         ' AS t WHERE NOT EXISTS (SELECT FROM ', p.rows, ' AS w (', p.aliases, ') WHERE ', p.same, ')) AS ',
         pg_catalog.quote_ident(p.relname), i.condition, ') AS both_sides (vaccine_new, ', i.names, ')',
         i.whole, ' GROUP BY ', i.names,
         ' HAVING pg_catalog.count(*) > 1 AND pg_catalog.bool_or(vaccine_new)) AS collided',
         ' HAVING pg_catalog.count(*) > 0')] AS statements
  FROM p JOIN pg_catalog.pg_index AS x ON x.indrelid = p.oid AND x.indisunique AND x.indislive AND x.indisready
 CROSS JOIN LATERAL (
       SELECT pg_catalog.string_agg(pg_catalog.pg_get_indexdef(x.indexrelid, g.place, TRUE), ', ' ORDER BY g.place),
              pg_catalog.string_agg('vaccine_k' || g.place, ', ' ORDER BY g.place),
              CASE WHEN pg_catalog.to_jsonb(x) ->> 'indnullsnotdistinct' = 'true' THEN ''
                   ELSE ' WHERE ' || pg_catalog.string_agg('vaccine_k' || g.place || ' IS NOT NULL', ' AND ') END,
              coalesce(' WHERE ' || pg_catalog.pg_get_expr(x.indpred, x.indrelid), '')
         FROM pg_catalog.generate_series(1, x.indnkeyatts) AS g (place)) AS i (keys, names, whole, condition)
 CROSS JOIN LATERAL (
       SELECT pg_catalog.array_agg(a.attnum), pg_catalog.bool_or(a.attgenerated <> '')
         FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = x.indrelid AND a.attnum > 0
          AND (a.attnum = ANY (x.indkey::int2[]) OR EXISTS (
               SELECT FROM pg_catalog.pg_depend AS d
                WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = x.indexrelid
                  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = x.indrelid
                  AND d.refobjsubid = a.attnum))) AS r (reads, generated)
 WHERE NOT p.meddled AND r.reads && p.assigned AND NOT r.generated
 ORDER BY 1"""
    ),
    Stage.ROWS,
    probe=True,
    ignores=("42", "22", "23"),
)
