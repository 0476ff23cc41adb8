"""What stays when a run has stopped: how many rows are resolved, and how to go on or to give up."""

from __future__ import annotations

import re
import shlex

import psycopg

from .errors import OperationError, PreflightError
from .key import Key
from .rows.journal import has_journal
from .session.caller import Caller
from .session.run import Run

GONE = re.compile(r"\[no-(table|column)\]")
RESOLVED = """
SELECT coalesce(sum(row_count - restored_count - cardinality(kept_rows || lost_rows)), 0)::bigint
  FROM vaccine.journal
 WHERE revision = %s AND schema_name = %s AND table_name = %s AND key_columns = %s
   AND predicate IS NOT DISTINCT FROM %s AND outcome IN ('resolved', 'restoring')
"""


def with_standing(error: OperationError, run: Run, key: Key, caller: Caller, alembic: str) -> OperationError:
    """The error, its fix ending with what stays of this revision: asked on a new connection, since a run's may be gone.

    Nothing is added where no row of the revision is resolved.
    """
    if caller.function == "upgrade" and isinstance(error, PreflightError) and any(map(GONE.search, error.reasons)):
        error.fix += (
            f"; where that is gone for good, {alembic} stamp {shlex.quote(caller.revision)} passes this revision by: "
            "it guards nothing then, and the upgrade goes on above it"
        )
    try:
        with run.connect() as fresh:
            rows = resolved_rows(fresh, run.revision, key)
    except (psycopg.Error, OperationError):
        error.fix += "; how many rows stay resolved could not be asked: `vaccine journal` lists them"
        return error
    if rows:
        stay = f"{rows} row{' stays' if rows == 1 else 's stay'} resolved and journalled"
        error.fix += f"; {stay}, and the same command goes on from there"
        if caller.function == "upgrade":
            error.fix += f"; to give the upgrade up and restore instead: {caller.give_up(alembic)}"
    return error


def resolved_rows(connection: psycopg.Connection, revision: str, key: Key) -> int:
    """How many rows of a revision are resolved now and not restored, by the journal."""
    if not has_journal(connection):
        return 0
    asked = (revision, key.schema, key.table, list(key.columns), key.where)
    row = connection.execute(RESOLVED, asked).fetchone()
    assert row is not None
    return int(row[0])
