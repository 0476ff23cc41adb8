"""The rows kept by hand as a condition over the table: composed by PostgreSQL, which knows the types of its key."""

from __future__ import annotations

from psycopg import sql

from .model import Question

# SQL for the text of the condition, of a table `t` with its oid; NULL where no row is kept. {kept} is `kept_parts`.
KEPT = """(
     SELECT pg_catalog.concat('(', pg_catalog.min(r.names), ') IN (', pg_catalog.string_agg(r.casts, ', '), ')')
       FROM (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY k.place),
                    '(' || pg_catalog.string_agg(pg_catalog.format('CAST(%L AS %s)', v.part,
                             pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY k.place) || ')'
               FROM ({kept}) AS v (number, place, part)
               JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid AND i.indisprimary AND i.indisvalid
              CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.attnum
              WHERE k.place = v.place
              GROUP BY v.number) AS r (names, casts)
     HAVING pg_catalog.count(*) > 0)"""


def kept_parts(question: Question) -> sql.Composable:
    """The primary keys in `keep` as a query: their number, the place of a part, and the part."""
    parts = [
        sql.SQL("({}, {}, {}::text)").format(sql.Literal(number), sql.Literal(place), sql.Literal(part))
        for number, row in enumerate(question.policy.keep)
        for place, part in enumerate(row, 1)
    ]
    nothing = sql.SQL("SELECT NULL::integer, NULL::integer, NULL::text WHERE FALSE")
    return sql.SQL("VALUES {}").format(sql.SQL(", ").join(parts)) if parts else nothing
