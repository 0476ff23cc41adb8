"""A row that is kept by hand is named by its whole primary key."""

from __future__ import annotations

from psycopg import sql

from .model import Check, Question

QUERY = """SELECT w.parts, p.parts AS wanted
  FROM pg_catalog.unnest({given}::integer[]) AS w (parts)
 CROSS JOIN (SELECT i.indnkeyatts::integer FROM pg_catalog.pg_index AS i
              WHERE i.indrelid = (SELECT c.oid FROM {target}) AND i.indisprimary AND i.indisvalid) AS p (parts)
 WHERE w.parts <> p.parts"""


def query(question: Question) -> sql.Composable:
    """The numbers of parts that keys in `keep` have, where the table's has another."""
    given = sql.Literal([len(row) for row in question.policy.keep])
    return question.of_table(QUERY, given=given)


CHECK = Check(
    "keep-misfit",
    "a primary key in `keep` has {parts} parts, the table's has {wanted}",
    "give a value for each of its columns",
    query,
    halts=True,
)
