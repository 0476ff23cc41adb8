"""A value that its column's type refuses: a domain's CHECK or NOT NULL, a cast that fails for some rows."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from .model import Check, Question, Stage
from .of_rows import DRY_PARTS, PARTS

QUERY = """SELECT pg_catalog.array_to_string({assigned}, ', ') AS columns, ARRAY[
       CASE WHEN {plain}
       THEN pg_catalog.concat('SELECT CASE WHEN pg_catalog.num_nulls(', p.casts, ') < 0 THEN '''' END')
       ELSE pg_catalog.concat(
         'SELECT CASE WHEN ', (SELECT pg_catalog.string_agg(pg_catalog.format('pg_catalog.count(%I)', u.name), ' + ')
                                 FROM pg_catalog.unnest({assigned}) AS u (name)),
         ' < 0 THEN '''' END FROM (', p.after, ') AS ', pg_catalog.quote_ident(p.relname)) END] AS statements
  FROM p WHERE pg_catalog.cardinality({assigned}) > 0 AND NOT p.meddled"""


def query(question: Question) -> sql.Composable:
    """Plain values are cast once, expressions for every row."""
    plain = not any(isinstance(to, Mapping) for to in question.policy.assign.values())
    return question.of_table((DRY_PARTS if question.dry else PARTS) + QUERY, plain=sql.Literal(plain))


CHECK = Check(
    "value-refused",
    "the assignment of {columns} is refused by the type of a column",
    "choose another value with --assign",
    query,
    Stage.ROWS,
    probe=True,
    ignores=("42",),
)
