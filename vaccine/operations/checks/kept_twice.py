"""Two rows of one group cannot both stay: where both are kept by hand, no index could be built over them."""

from __future__ import annotations

from psycopg import sql

from .model import Check, Question
from .of_keep import KEPT, kept_parts

QUERY = """SELECT ARRAY['SELECT pg_catalog.format(''%s groups'', pg_catalog.count(*)) FROM (SELECT FROM ' || s.source
       || ' WHERE ' || s.kept || ' AND ' || {live} || ' GROUP BY ' || {key_list}
       || ' HAVING pg_catalog.count(*) > 1) AS g HAVING pg_catalog.count(*) > 0'] AS statements
  FROM (SELECT t.source, {KEPT}
          FROM (SELECT c.oid, CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END
                       || pg_catalog.format('%I.%I', n.nspname, c.relname)
                  FROM {target}) AS t (oid, source)) AS s (source, kept)
 WHERE s.kept IS NOT NULL""".replace("{KEPT}", KEPT)


def query(question: Question) -> sql.Composable:
    """Count the groups in which several live rows are kept."""
    return question.of_table(QUERY, kept=kept_parts(question))


CHECK = Check(
    "kept-twice",
    "two rows of one group are both kept by hand",
    "only one can stay: leave one out of --keep",
    query,
    probe=True,
    ignores=("42", "22"),  # `misfit` tells of those
)
