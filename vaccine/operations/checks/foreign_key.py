"""A value that refers to no row of another table."""

from __future__ import annotations

from .model import Check, Stage
from .of_rows import COUNT, NONE, of_rows

CHECK = Check(
    "reference-missing",
    "resolving rows would violate the foreign key {name}, {definition} (23503)",
    "add the row that is referred to, or choose another value with --assign",
    of_rows(
        f"""SELECT x.conname AS name, pg_catalog.pg_get_constraintdef(x.oid) AS definition, ARRAY[pg_catalog.concat(
       {COUNT}, '(', p.after, ') AS ', pg_catalog.quote_ident(p.relname), ' WHERE ', j.whole,
       ' AND NOT EXISTS (SELECT FROM ', x.confrelid::pg_catalog.regclass, ' AS vaccine_referred WHERE ', j.same, ')',
       {NONE})] AS statements
  FROM p JOIN pg_catalog.pg_constraint AS x ON x.conrelid = p.oid AND x.contype = 'f' AND x.conparentid = 0
 CROSS JOIN LATERAL (
       SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I IS NOT NULL', p.relname, a.attname), ' AND '),
              pg_catalog.string_agg(pg_catalog.format('vaccine_referred.%I OPERATOR(%I.%s) %I.%I', r.attname, n.nspname,
                                                      o.oprname, p.relname, a.attname), ' AND ')
         FROM ROWS FROM (pg_catalog.unnest(x.conkey), pg_catalog.unnest(x.confkey), pg_catalog.unnest(x.conpfeqop))
              AS u (own, referred, equals)
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.conrelid AND a.attnum = u.own
         JOIN pg_catalog.pg_attribute AS r ON r.attrelid = x.confrelid AND r.attnum = u.referred
         JOIN pg_catalog.pg_operator AS o ON o.oid = u.equals
         JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace) AS j (whole, same)
 WHERE NOT p.meddled AND x.conkey && p.assigned
   AND pg_catalog.to_jsonb(x) ->> 'conenforced' IS DISTINCT FROM 'false'
 ORDER BY x.conname"""
    ),
    Stage.ROWS,
    probe=True,
    ignores=("42", "22", "23"),
)
