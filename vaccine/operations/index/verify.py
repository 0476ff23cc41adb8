"""The end state, checked on the database itself."""

from __future__ import annotations

from ..errors import VerifyError
from ..key import Key
from ..rows.journal import has_journal
from ..session.run import Run

COUNTS = """
SELECT coalesce(sum(row_count - restore_cursor + cardinality(skipped_rows))
                FILTER (WHERE outcome IN ('resolved', 'restoring')), 0)::bigint,
       count(*) FILTER (WHERE outcome IN ('restored', 'restoring')
                          AND restored_count + cardinality(kept_rows || lost_rows) <>
                              restore_cursor - cardinality(skipped_rows))
  FROM vaccine.journal
 WHERE plan = %s AND schema_name = %s AND table_name = %s AND key_columns = %s
   AND predicate IS NOT DISTINCT FROM %s
"""


def verify_index(run: Run, name: str, key: Key) -> None:
    """See that the index is valid, ready and of the very definition. Such an index proves that no live duplicate is.

    Raises:
        VerifyError: it is not so.
    """
    from .build import index_state  # noqa: PLC0415  the largest part, and only for an index

    state = index_state(run.worker, name, key)
    if state.kind != "valid":
        raise VerifyError(
            f"the index {name} on {key} is not as it must be after the build",
            why=f"its state is {state.kind}",
            fix="run the same command again; if it stays so, see `\\d` of the table in psql",
        )


def verify_restored(run: Run, key: Key, plan: str, stuck: int = 0) -> None:
    """See that the journal has no row of the vaccination left to restore but `stuck` ones, and that its counts agree.

    Raises:
        VerifyError: it is not so.
    """
    if not has_journal(run.worker):
        return
    row = run.worker.execute(COUNTS, (plan, key.schema, key.table, list(key.columns), key.where)).fetchone()
    assert row is not None
    if row != (stuck, 0):
        raise VerifyError(
            f"the journal of {key} does not agree with what was restored",
            why=f"{row[0]} rows are still to restore, {stuck} of these could not go back; in {row[1]} batches the "
            "counts differ",
            fix="run the same command again; `vaccine journal` shows the batches",
        )
