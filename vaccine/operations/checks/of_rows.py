"""What the probes over the excess rows share: the rows as they are, and as the assignment would leave them.

PostgreSQL composes their text from its catalog, since a script knows no column of the table beforehand. A BEFORE
trigger or a rule may change what is written: then what a row would be cannot be reckoned, and only the trial says.
"""

from __future__ import annotations

from collections.abc import Callable

from psycopg import sql

from .model import Question

# One row `p`: `source` as FROM says it; `pk` its columns; `found` and `after`, queries for the excess rows before and
# after the assignment; `rows` and `aliases`, the work table and its first columns; `meddled`, see above.
PARTS = """WITH k AS (
SELECT c.oid, n.nspname, c.relname, c.relkind,
       CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || pg_catalog.format('%I.%I', n.nspname, c.relname) AS source
  FROM {target}
), pk AS (
SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY u.place) AS pk,
       pg_catalog.count(*) AS pk_width,
       pg_catalog.string_agg(pg_catalog.format('t.%I', a.attname), ', ' ORDER BY u.place) AS of_t,
       pg_catalog.string_agg(pg_catalog.format('w.vaccine_w%s', u.place), ', ' ORDER BY u.place) AS excess,
       pg_catalog.string_agg(pg_catalog.format('w.vaccine_s%s', u.place), ', ' ORDER BY u.place) AS survivor,
       pg_catalog.string_agg(pg_catalog.format('t.%I = w.vaccine_w%s', a.attname, u.place), ' AND ' ORDER BY u.place)
         AS same,
       'vaccine_w0, ' || pg_catalog.string_agg(pg_catalog.format('vaccine_w%s', u.place), ', ' ORDER BY u.place)
         || ', ' || pg_catalog.string_agg(pg_catalog.format('vaccine_s%s', u.place), ', ' ORDER BY u.place) AS aliases
  FROM k
  JOIN pg_catalog.pg_index AS i ON i.indrelid = k.oid AND i.indisprimary AND i.indisvalid
 CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS u (attnum, place)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.oid AND a.attnum = u.attnum
 WHERE u.place <= i.indnkeyatts
), columns AS (
SELECT pg_catalog.string_agg(
         CASE WHEN v.name IS NULL THEN pg_catalog.quote_ident(a.attname)
              ELSE pg_catalog.format('(%s)::%s AS %I', v.expression,
                                     pg_catalog.format_type(a.atttypid, a.atttypmod), a.attname) END,
         ', ' ORDER BY a.attnum) AS after,
       pg_catalog.string_agg(pg_catalog.format('%I = %s', v.name, v.expression), ', ')
         FILTER (WHERE v.name IS NOT NULL) AS assignment,
       pg_catalog.string_agg(pg_catalog.format('(%s)::%s', v.expression,
                                               pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ')
         FILTER (WHERE v.name IS NOT NULL) AS casts,
       pg_catalog.array_agg(a.attnum) FILTER (WHERE v.name IS NOT NULL) AS assigned
  FROM k
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN ({assignment}) AS v (name, expression) ON v.name = a.attname
), p AS (
SELECT k.*, pk.*, {rows}::text AS rows, columns.assignment, columns.assigned, columns.casts, f.found,
       pg_catalog.format('SELECT %s FROM (%s) AS %I', columns.after, f.found, k.relname) AS after,
       EXISTS (SELECT FROM pg_catalog.pg_trigger AS g
                WHERE g.tgrelid = k.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 19 = 19)
       OR EXISTS (SELECT FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = k.oid AND r.ev_type = '2') AS meddled
  FROM k CROSS JOIN pk CROSS JOIN columns
 CROSS JOIN LATERAL (SELECT pg_catalog.format('SELECT t.* FROM %s AS t JOIN %s AS w (%s) ON %s',
                                              k.source, {rows}::text, pk.aliases, pk.same)) AS f (found)
 WHERE pk.pk IS NOT NULL
)
"""

# Of the table `k`: whether what a changed row must pass, or how an operator is found, is code of roles that are neither
# this one nor superusers. A plan runs none of it.
FOREIGN = """(EXISTS (
       SELECT FROM pg_catalog.pg_depend AS d
         JOIN pg_catalog.pg_proc AS f ON f.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
         JOIN pg_catalog.pg_roles AS o ON o.oid = f.proowner AND NOT o.rolsuper AND o.rolname <> current_user
        WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
              AND d.objid IN (SELECT c.oid FROM pg_catalog.pg_constraint AS c WHERE c.conrelid = k.oid)
           OR d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND d.objid IN (SELECT i.indexrelid FROM pg_catalog.pg_index AS i WHERE i.indrelid = k.oid))
    OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                 JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid AND y.typtype = 'd'
                 JOIN pg_catalog.pg_roles AS o ON o.oid = y.typowner AND NOT o.rolsuper AND o.rolname <> current_user
                WHERE a.attrelid = k.oid AND a.attnum > 0 AND NOT a.attisdropped))"""
DRY_PARTS = PARTS.replace("WHERE pk.pk IS NOT NULL", f"WHERE pk.pk IS NOT NULL AND NOT {FOREIGN}")

# The head of a statement that counts rows of FROM, and names one; it finds nothing where there is none.
COUNT = (
    "'SELECT pg_catalog.format(''%s rows, such as %s'', pg_catalog.count(*), pg_catalog.min(ROW(', p.pk, "
    "')::text)) FROM '"
)
NONE = "' HAVING pg_catalog.count(*) > 0'"


def of_rows(text: str, **more: sql.Composable) -> Callable[[Question], sql.Composed]:
    """A query over `p`."""
    return lambda question: question.of_table((DRY_PARTS if question.dry else PARTS) + text, **more)
