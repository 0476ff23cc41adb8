"""What must hold before an index is dropped and rows are restored: asked before anything changes, told all at once.

The record of the upgrade, the journal and its images are compared (`rows.evidence`); what the table would refuse is
asked of the catalog (`obstacles`) and tried out (`trial_back`); a row that was edited since keeps its edit.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg import sql

from ..errors import PreflightError, RestoreError
from ..key import Key, Policy
from ..rows.evidence import KeptRecord, UndoEvidence, evidence, plans_of, records
from ..rows.journal import complete_journal, has_journal
from ..rows.pace import tell_of_hidden_replicas
from ..rows.restored import SHOWN, named
from ..rows.restorer import Restorer, restorers
from ..session.blockers import holders_of
from ..session.blockers import named as named_blockers
from ..session.retry import with_lock_retries
from ..session.run import Run
from ..table import TargetTable, read_table
from .ask import ask, reasons_of
from .model import Question, Reason, Stage, Subject
from .obstacles import Obstacle, obstacles
from .prepared import OF_DROP
from .restorable import refuse_lost_columns, refuse_unsettable
from .trial_back import trial_back

DROP_REFUSED = "the downgrade of {} is refused; nothing was changed"
OF_JOURNAL = ("journal-rights",)
OF_RESTORE = ("not-owner", "no-create", "no-update", "no-temporary", "no-create-schema", "journal-rights",
              "row-security", "replica-identity", "publication-columns")  # fmt: skip
NOTHING = Policy((), {}, (), 0, "")  # a way back has a key only
BACKUP = "bring the schema vaccine back from a backup (pg_restore --schema=vaccine), then run the same command again"
ON_WITHOUT = "`alembic -x vaccine.restore=lost downgrade …` goes on without them, and restores all others"


def before_drop(run: Run, key: Key, index: str) -> tuple[TargetTable | None, int | None]:
    """What must hold before the index is dropped: what this revision resolved can be restored afterwards.

    Returns the table, None where it is gone and that is accepted; and the index's oid, by which it is known again.

    Raises:
        RestoreError: what a restore needs is lost, or rows could not go back.
        PreflightError: every other reason why not.
    """
    kept = records(run.worker, run.revision, key)
    table = _table_or_none(run, key, kept)
    if table is None:
        return None, None
    subject = Subject(run.worker, Question(key, NOTHING, None, run.options))
    reasons = [*ask(subject, Stage.TABLE, only=OF_JOURNAL), *reasons_of(subject, OF_DROP)]
    if reasons:
        raise _refusal(key, reasons, DROP_REFUSED)
    complete_journal(run.worker)
    mine = [each for each in kept if (each.version_table, each.revision) == (run.version_table, run.revision)]
    refuse_unrecorded(run, key, mine, kept)
    oid = next((each.index_oid for each in reversed(mine) if each.index_oid), None)
    ours = _name_now(run, oid) or index
    for plan in plans_of(run.worker, run.revision, key, mine):
        record = next((each for each in mine if each.plan == plan), None)
        found = evidence(run.worker, key, plan, record)
        refuse_lost(run, found)
        if found.left:
            _fits(run, key, plan, table)
            refuse_obstacles(run, found, table, ours)
    return table, oid


def before_restore(run: Run, key: Key, plan: str) -> tuple[TargetTable | None, UndoEvidence]:
    """What must hold before rows are restored. Returns the table, None where it is gone and that is accepted.

    Raises:
        RestoreError: what a restore needs is lost, the table lost a column that the journal holds; with
            `-x vaccine.restore=strict`, too, rows that were changed since.
        PreflightError: any other reason.
    """
    kept = records(run.worker, run.revision, key, plan)
    of_plan = [each for each in kept if each.plan == plan]
    mine = [each for each in of_plan if (each.version_table, each.revision) == (run.version_table, run.revision)]
    record = (mine or of_plan)[-1] if of_plan else None
    if _table_or_none(run, key, kept) is None:
        return None, evidence(run.worker, key, plan, record)
    table = _readable(run, key)
    subject = Subject(run.worker, Question(key, NOTHING, None, run.options))
    if reasons := ask(subject, Stage.TABLE, only=OF_RESTORE):
        raise _refusal(key, reasons)
    complete_journal(run.worker)
    tell_of_hidden_replicas(run)
    refuse_unrecorded(run, key, of_plan, kept)
    found = evidence(run.worker, key, plan, record)
    refuse_lost(run, found)
    _fits(run, key, plan, table)
    if run.options.restore == "strict":
        _refuse_edited(run, found, table)
    return table, found


def _name_now(run: Run, oid: int | None) -> str | None:
    row = run.worker.execute("SELECT relname::text FROM pg_catalog.pg_class WHERE oid = %s", (oid,)).fetchone()
    return row[0] if row else None


def refuse_unrecorded(run: Run, key: Key, mine: Sequence[KeptRecord], kept: Sequence[KeptRecord]) -> None:
    """Refuse where the upgrade left no record: then nothing says which rows it resolved.

    Raises:
        RestoreError: it is so, and `-x vaccine.restore=lost` was not given.
    """
    if mine:
        return
    others = sorted({each.version_table for each in kept if each.revision == run.revision})
    beside = f"; the records of this revision belong to {', '.join(others)}" if others else ""
    why = (
        f"vaccine.vaccination has no record of the upgrade {run.revision} under {run.version_table or 'no table'}: the "
        f"schema vaccine was dropped, emptied, or left out of a dump, or the revision was stamped only{beside}"
    )
    if run.options.restore == "lost":
        run.say(f"note: {why}")
        return
    raise RestoreError(
        f"which rows of {key} were resolved is lost; nothing was changed",
        why=why,
        fix=f"{BACKUP}; or go on without: `alembic -x vaccine.restore=lost downgrade …` restores what the journal "
        "still holds",
    )


def refuse_lost(run: Run, found: UndoEvidence) -> None:
    """Refuse where rows cannot be restored, since the journal does not know them any more or their images are gone.

    Raises:
        RestoreError: it is so, and `-x vaccine.restore=lost` was not given.
    """
    if not found.lost:
        return
    why = "; ".join(found.lines())
    if run.options.restore == "lost":
        run.say(f"note: {why}")
        return
    total = found.left + found.unjournalled
    raise RestoreError(
        f"{found.lost} of {total} rows of {found.key} cannot be restored: what it takes is lost; nothing was changed",
        why=why,
        fix=f"{BACKUP}; or {ON_WITHOUT}",
    )


def refuse_obstacles(run: Run, found: UndoEvidence, table: TargetTable, index: str) -> None:
    """Refuse where the table would not take rows back: while the index stands, nothing has changed.

    Raises:
        RestoreError: it is so, and neither `-x vaccine.restore=partial` nor `lost` was given.
    """
    some = list(restorers(run, found.key, found.plan, table, found))
    if run.options.restore == "strict":
        _refuse_edited(run, found, table)
    met: list[Obstacle] = obstacles(run.worker, table, some, index) or trial_back(run, table, some, index)
    if not met:
        return
    why = _numbered([each.told(run.worker) for each in met])
    if run.options.restore in {"partial", "lost"}:
        run.say(f"note: rows of {found.key} will not go back: {why}")
        return
    raise RestoreError(
        f"rows of {found.key} could not go back; nothing was changed",
        why=why,
        fix="remove the cause, then run the same command again; or restore all others with "
        "`alembic -x vaccine.restore=partial downgrade …`: those rows stay in the journal",
    )


def _refuse_edited(run: Run, found: UndoEvidence, table: TargetTable) -> None:
    rows = [row for each in restorers(run, found.key, found.plan, table, found) for row in edited(each)]
    if not rows:
        return
    names = named(run.worker, rows[:SHOWN])
    shown = ", ".join(names[row] for row in rows[:SHOWN]) + (", …" if len(rows) > SHOWN else "")
    raise RestoreError(
        f"{len(rows)} rows of {found.key} were changed or deleted since they were resolved; nothing was changed",
        why=f"primary keys {shown}; -x vaccine.restore=strict restores all rows or none",
        fix="without that option these rows keep their newer values, are listed, and stay in the journal",
    )


def edited(restorer: Restorer) -> list[tuple[int, int]]:
    """The rows of a batch that are no longer as they were left, by batch and place; changes nothing."""
    same = set(restorer.as_left())
    return [(restorer.batch, place) for place in restorer.pending if place not in same]


def _fits(run: Run, key: Key, plan: str, table: TargetTable) -> None:
    refuse_lost_columns(run, key, plan, table)
    refuse_unsettable(run, key, plan, table)


def _table_or_none(run: Run, key: Key, kept: Sequence[KeptRecord]) -> TargetTable | None:
    """The table; None where it is gone and `-x vaccine.restore=lost` accepts that.

    Raises:
        RestoreError: it is gone.
        PreflightError: the server cannot be written.
    """
    if reasons := ask(Subject(run.worker, Question(key, NOTHING, None, run.options)), Stage.SERVER):
        gone = [each for each in reasons if each.code == "no-table"]
        if len(gone) < len(reasons):
            raise _refusal(key, reasons, DROP_REFUSED)
    table = read_table(run.worker, key)
    if table is not None:
        has_journal(run.worker)
        return table
    rows = sum(each.resolved for each in kept if not each.undone)
    lost = f"{rows} rows that were resolved in it are not restored" if rows else "no row was resolved in it"
    why = f"the table {key.schema}.{key.table} was dropped or renamed since the upgrade: {lost}"
    if run.options.restore == "lost":
        run.say(f"note: {why}; an index of it went with it, or stands on the renamed table and was left there")
        return None
    raise RestoreError(
        f"the downgrade of {key} is refused: its table is not there; nothing was changed",
        why=why,
        fix="a renamed one: ALTER TABLE … RENAME back, then run the same command again; one that is gone for good: "
        "`alembic -x vaccine.restore=lost downgrade …` goes on without it (old images stay in the schema vaccine)",
    )


def _readable(run: Run, key: Key) -> TargetTable:
    """The table, once it can be read: behind an ACCESS EXCLUSIVE lock the questions would wait without an end."""
    table = read_table(run.worker, key)
    assert table is not None
    with suppress(psycopg.errors.InsufficientPrivilege):  # asked about next, in words
        with_lock_retries(
            run.worker,
            run.options,
            lambda: run.worker.execute(sql.SQL("SELECT FROM {} LIMIT 0").format(table.source)),
            f"read {key.schema}.{key.table}; nothing was changed",
            blame=lambda: f"held by {named_blockers(found)}" if (found := holders_of(run.worker, key)) else "",
        )
    return table


def _refusal(key: Key, reasons: Sequence[Reason], what: str = DROP_REFUSED) -> PreflightError:
    return PreflightError(
        what.format(key),
        why=_numbered(list(map(str, reasons))),
        fix="remove " + ("each cause" if len(reasons) > 1 else "the cause") + ", then run the same command again",
        reasons=list(map(str, reasons)),
    )


def _numbered(reasons: list[str]) -> str:
    if len(reasons) == 1:
        return reasons[0]
    return "".join(f"\n    {number}. {reason}" for number, reason in enumerate(reasons, 1))
