"""What PostgreSQL refuses of the index itself: a function not IMMUTABLE, a type without an order, a VIRTUAL column."""

from __future__ import annotations

from psycopg import sql

from .index_copy import COPY, create_copied
from .model import Check, Question, Stage

# LIKE, with generated columns as they are: a VIRTUAL one (18) cannot be indexed, nor stand in the predicate.
QUERY = f"""SELECT {COPY} || ARRAY[
       pg_catalog.format('CREATE TEMPORARY TABLE %I (LIKE %I.%I INCLUDING GENERATED)',
                         c.relname, n.nspname, c.relname),
       {{create}}, 'SELECT NULL::text'] AS statements FROM {{target}}"""


def query(question: Question) -> sql.Composable:
    """Make it on an empty copy of the table."""
    return question.of_table(QUERY, create=create_copied(question))


CHECK = Check(
    "index-impossible",
    "no such index can be made",
    "choose another predicate with --where, or another key; of a VIRTUAL column, one that is STORED",
    query,
    Stage.INDEX,
    halts=True,
    probe=True,
    writes=True,
    ignores=("42501",),
)
