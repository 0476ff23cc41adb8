"""An empty assignment retires no row. Where no row has to be resolved, it need not."""

from __future__ import annotations

from psycopg import sql

from .duplicates import COUNTED
from .model import Check, Question


def query(question: Question) -> sql.Composable:
    """Count the duplicates of a policy that assigns nothing."""
    empty = sql.Literal(not question.policy.assign)
    return question.of_table(f"SELECT {COUNTED} AS statements FROM {{target}} AND {{empty}}", empty=empty)


CHECK = Check(
    "no-way-to-retire",
    "`assign` is empty, so nothing would retire a row, and there are duplicates to resolve",
    "say how a row is retired with --assign COLUMN=VALUE (and --where for which rows are live), or do it by hand",
    query,
    halts=True,
    probe=True,
    ignores=("42",),
)
