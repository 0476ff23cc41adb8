"""What the revision spells out, parsed and planned by PostgreSQL against the table; no row is touched."""

from __future__ import annotations

from psycopg import sql

from ..key import raw
from .model import Check, Question
from .of_keep import KEPT, kept_parts
from .of_rows import FOREIGN

# `keep` is compared with the types of the primary key; it and `assign` only where they say something.
QUERY = """SELECT s.what, s.statements
  FROM (SELECT c.oid,
               CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || pg_catalog.format('%I.%I', n.nspname, c.relname)
          FROM {target}) AS t (oid, source)
 CROSS JOIN LATERAL (VALUES
   (1, '`where`', ARRAY[pg_catalog.concat('SELECT NULL::text FROM ', t.source, ' WHERE ', {live}, ' LIMIT 0')]),
   (2, '`keep`', ARRAY['SELECT NULL::text FROM ' || t.source || ' WHERE ' || {KEPT} || ' LIMIT 0']),
   (3, '`columns` or `survivor`',
    ARRAY[pg_catalog.concat('SELECT NULL::text FROM ', t.source, ' ORDER BY ', {order}, ' LIMIT 0')]),
   (4, '`assign`', ARRAY[pg_catalog.concat('EXPLAIN UPDATE ', t.source, ' SET ',
      (SELECT pg_catalog.string_agg(pg_catalog.format('%I = %s', v.name, v.expression), ', ')
         FROM ({assignment}) AS v (name, expression)), ' WHERE FALSE'), 'SELECT NULL::text'])
 ) AS s (place, what, statements)
 WHERE s.statements[1] IS NOT NULL AND (s.place <> 4 OR EXISTS ({assignment}) AND NOT ({dry} AND {FOREIGN}))
 ORDER BY s.place""".replace("{KEPT}", KEPT).replace("{FOREIGN}", FOREIGN.replace("k.oid", "t.oid"))


def query(question: Question) -> sql.Composable:
    """One statement for each part of the key and the policy."""
    order = sql.SQL(", ").join([question.key.column_list, *(raw(f"{term}\n") for term in question.policy.survivor)])
    return question.of_table(
        QUERY,
        kept=kept_parts(question),
        dry=sql.Literal(question.dry),
        order=sql.Literal(order.as_string(None)),
    )


CHECK = Check(
    "misfit",
    "{what} does not fit the table",
    "mend it in the plan: `vaccine plan` again with other options",
    query,
    halts=True,
    probe=True,
    ignores=("42501", "42P10", "428C9", "55000"),  # rights, publications, generated columns have checks of their own
)
