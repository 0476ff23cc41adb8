"""An empty temporary copy of the table, with the index on it. It has the table's name, which a predicate may say."""

from __future__ import annotations

from psycopg import sql

from ..index.states import index_statement
from ..key import Key
from .model import Question

# The statements that make room for it: a temporary table of ours may have the name of the user's.
COPY = """pg_catalog.array_remove(ARRAY[CASE
       WHEN pg_catalog.to_regclass(pg_catalog.format('pg_temp.%I', c.relname)) IS NOT NULL
       THEN pg_catalog.format('DROP TABLE pg_temp.%I', c.relname) END], NULL)"""
NAME = "vaccine_wanted_"


def create_copied(question: Question) -> sql.Literal:
    """The statement that makes the index on the copy."""
    copy = Key("pg_temp", question.key.table, question.key.columns, question.key.where)
    return sql.Literal(index_statement(NAME, copy, concurrently=False).as_string(None))
