"""A CHECK that the row would not pass. One that is NOT VALID is asked of every row that is written."""

from __future__ import annotations

from .model import Check, Stage
from .of_rows import COUNT, NONE, of_rows

# Of a valid one that reads no assigned column the answer is known. One over a generated column is left to the trial:
# what is generated would be reckoned anew.
CHECK = Check(
    "check-violated",
    "resolving rows would violate the check constraint {name}, {definition} (23514)",
    "assign what it wants as well, choose another value with --assign, or mend those rows first",
    of_rows(
        f"""SELECT x.conname AS name, pg_catalog.pg_get_constraintdef(x.oid) AS definition, ARRAY[pg_catalog.concat(
       {COUNT}, '(', p.after, ') AS ', pg_catalog.quote_ident(p.relname),
       ' WHERE NOT (', pg_catalog.pg_get_expr(x.conbin, x.conrelid), ')', {NONE})] AS statements
  FROM p JOIN pg_catalog.pg_constraint AS x ON x.conrelid = p.oid AND x.contype = 'c'
 WHERE NOT p.meddled AND (NOT x.convalidated OR x.conkey && p.assigned)
   AND pg_catalog.to_jsonb(x) ->> 'conenforced' IS DISTINCT FROM 'false'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                    WHERE a.attrelid = p.oid AND a.attnum = ANY (x.conkey) AND a.attgenerated <> '')
 ORDER BY x.conname"""
    ),
    Stage.ROWS,
    probe=True,
    ignores=("42", "22", "23"),
)
