"""NULL assigned to a column that takes none; and, from 18 on, a NULL that stands in one whose NOT NULL is NOT VALID."""

from __future__ import annotations

from .model import Check, Stage
from .of_rows import COUNT, NONE, of_rows

CHECK = Check(
    "null-refused",
    "the column {name} is NOT NULL, and would be NULL",
    "choose another value with --assign, or mend those rows first",
    of_rows(
        f"""SELECT a.attname AS name, ARRAY[pg_catalog.concat(
       {COUNT}, '(', p.after, ') AS ', pg_catalog.quote_ident(p.relname),
       pg_catalog.format(' WHERE %I IS NULL', a.attname), {NONE})] AS statements
  FROM p
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
 WHERE NOT p.meddled AND a.attgenerated = ''
   AND (a.attnum = ANY (p.assigned)
        OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS n
                    WHERE n.conrelid = p.oid AND n.contype = 'n' AND NOT n.convalidated AND a.attnum = ANY (n.conkey)))
 ORDER BY a.attnum"""
    ),
    Stage.ROWS,
    probe=True,
    ignores=("42", "22", "23"),
)
