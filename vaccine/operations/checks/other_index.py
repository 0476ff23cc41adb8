"""An index of that name is there, on this table, with another meaning. One that is INVALID is repaired."""

from __future__ import annotations

from psycopg import sql

from .index_copy import COPY, create_copied
from .model import Check, Question, Stage

MEANING = """SELECT ROW(x.indisunique, x.indimmediate, m.amname, x.indcollation::text, x.indclass::text,
           x.indnatts = x.indnkeyatts, pg_catalog.to_jsonb(x) ->> ''indnullsnotdistinct'' = ''true'',
           pg_catalog.pg_get_expr(x.indpred, x.indrelid),
           ARRAY(SELECT pg_catalog.pg_get_indexdef(x.indexrelid, place, true)
                   FROM pg_catalog.generate_series(1, x.indnatts) AS place ORDER BY place))::text
  FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
  JOIN pg_catalog.pg_am AS m ON m.oid = i.relam WHERE x.indexrelid = %s"""

# The copy is made AS SELECT, not LIKE: LIKE copies NOT NULL, with which PostgreSQL 18 simplifies a predicate.
QUERY = f"""SELECT c.relname AS name, {COPY} || ARRAY[
       pg_catalog.format('CREATE TEMPORARY TABLE %I AS SELECT * FROM %I.%I WITH NO DATA',
                         c.relname, n.nspname, c.relname),
       {{create}},
       pg_catalog.format('SELECT CASE WHEN (%s) IS DISTINCT FROM (%s) THEN pg_catalog.pg_get_indexdef(%s) END',
                         pg_catalog.format('{MEANING}', y.indexrelid),
                         pg_catalog.format('{MEANING}', '''pg_temp.vaccine_wanted_''::pg_catalog.regclass'),
                         y.indexrelid)
       ] AS statements, r.relname AS index
  FROM pg_catalog.pg_index AS y JOIN pg_catalog.pg_class AS r ON r.oid = y.indexrelid, {{target}}
   AND y.indrelid = c.oid AND r.relname = {{index}} AND r.relkind = 'i'"""


def query(question: Question) -> sql.Composable:
    """Compare it with an index made on an empty copy of the table: PostgreSQL's own spelling of what it must be."""
    return question.of_table(QUERY, create=create_copied(question))


CHECK = Check(
    "other-index",
    "the name {index} is taken by another index of the table",
    "drop or rename that, or choose another name with --name",
    query,
    Stage.INDEX,
    probe=True,
    writes=True,
    ignores=("42", "22", "0A"),
)
