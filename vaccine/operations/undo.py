"""What a downgrade would do, row by row, asked without changing anything: the dry run of the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import psycopg

from .checks.obstacles import Row, obstacles
from .checks.restorable import refuse_lost_columns, refuse_unsettable
from .checks.way_back import edited
from .errors import RestoreError
from .key import Key
from .options import Options
from .rows.evidence import KeptRecord, evidence
from .rows.journal import has_journal, has_record
from .rows.restored import SHOWN, named
from .rows.restorer import restorers
from .session.run import Run
from .table import TargetTable, read_table

OPEN = """
SELECT version_table, revision, plan, index_name, index_oid::bigint, coalesce(assign, '{}'), after_batch, resolved_rows,
       undone_at IS NOT NULL, schema_name, table_name, key_columns, predicate
  FROM vaccine.vaccination
 WHERE undone_at IS NULL AND (%(revision)s::text IS NULL OR revision = %(revision)s)
 ORDER BY started_at DESC
"""

TRIGGERS = """
SELECT tgname::text FROM pg_catalog.pg_trigger
 WHERE tgrelid = %s AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 16 <> 0 ORDER BY tgname
"""

INDEX = """
SELECT i.relname::text, x.indisvalid
  FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
 WHERE x.indrelid = %s AND (i.relname = %s OR i.oid = %s)
 ORDER BY i.relname = %s DESC
"""


@dataclass(frozen=True)
class Unrestorable:
    """Rows that would not come back, and why; `keys` are the primary keys of the first few."""

    why: str
    rows: int
    keys: Sequence[str] = ()


@dataclass(frozen=True)
class UndoReport:
    """What the downgrade of one upgrade would do. `notes` are what could not be asked."""

    revision: str
    version_table: str
    plan: str
    schema: str
    table: str
    columns: Sequence[str]
    index: str | None
    resolved: int
    back: int = 0
    kept: Unrestorable | None = None
    refused: Sequence[Unrestorable] = ()
    lost: Sequence[Unrestorable] = ()
    blocked: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def fine(self) -> bool:
        """Whether every row would come back."""
        return not (self.kept or self.refused or self.lost or self.blocked)


def undo_reports(connection: psycopg.Connection, revision: str | None = None) -> list[UndoReport]:
    """Of every upgrade that is not undone, or of one revision's, newest first. Reads only."""
    if not (has_record(connection) and has_journal(connection)):
        return []
    found = []
    for *recorded, schema, table, columns, predicate in connection.execute(OPEN, {"revision": revision}).fetchall():
        key, kept = Key(schema, table, tuple(columns), predicate), KeptRecord(*recorded)
        report = UndoReport(
            kept.revision, kept.version_table, kept.plan, schema, table, columns, kept.index, kept.resolved
        )
        found.append(_asked(connection, key, kept, report))
    return found


def _asked(connection: psycopg.Connection, key: Key, kept: KeptRecord, report: UndoReport) -> UndoReport:
    found = evidence(connection, key, kept.plan, kept)
    table = read_table(connection, key)
    if table is None:
        rows = found.left + found.unjournalled
        why = "the table was dropped or renamed: -x vaccine.restore=lost goes on without it"
        return replace(report, blocked=(why,), lost=(Unrestorable("its table is not there", rows),) if rows else ())
    run = Run(kept.revision, Options(), lambda: connection, connection, version_table=kept.version_table)
    lost = (Unrestorable("; ".join(found.lines()), found.lost),) if found.lost else ()
    blocked = _unfit(run, key, kept.plan, table)
    report = replace(report, lost=lost, blocked=blocked, notes=_notes(connection, kept, table, found.left))
    return report if blocked else _rows(run, key, kept, table, report)


def _rows(run: Run, key: Key, kept: KeptRecord, table: TargetTable, report: UndoReport) -> UndoReport:
    """What becomes of each row whose images are there."""
    found = evidence(run.worker, key, kept.plan, kept)
    some = list(restorers(run, key, kept.plan, table, found))
    met = obstacles(run.worker, table, some, kept.index, code=False)
    refused = {row for each in met for row in each.rows}
    changed = [row for each in some for row in edited(each)]
    gone = {each.batch: each.lost for each in found.batches}
    # A row without its images is not as it was left either: it is told as lost, and not as edited.
    held = sum(len(each.pending) - gone.get(each.batch, 0) for each in some)
    newer = len(changed) - sum(gone.get(each.batch, 0) for each in some)
    return replace(
        report,
        back=held - newer - len(refused),
        kept=_unrestorable(run, "changed or deleted since: it keeps its newer values", changed, newer)
        if newer
        else None,
        refused=[_unrestorable(run, each.why, each.rows, len(each.rows)) for each in met],
    )


def _unrestorable(run: Run, why: str, rows: Sequence[Row], count: int) -> Unrestorable:
    keys = named(run.worker, list(rows[:SHOWN]))
    return Unrestorable(why, count, [keys[row] for row in rows[:SHOWN] if row in keys])


def _unfit(run: Run, key: Key, plan: str, table: TargetTable) -> tuple[str, ...]:
    told = []
    for refuse in (refuse_lost_columns, refuse_unsettable):
        try:
            refuse(run, key, plan, table)
        except RestoreError as error:
            told.append(error.why)
    return tuple(told)


def _notes(connection: psycopg.Connection, kept: KeptRecord, table: TargetTable, left: int) -> tuple[str, ...]:
    notes = []
    indexes = connection.execute(INDEX, (table.oid, kept.index, kept.index_oid, kept.index)).fetchall()
    if kept.index and not indexes:
        notes.append(f"index {kept.index} is not there any more")
    elif indexes and indexes[0][0] != kept.index:
        notes.append(f"index {kept.index} is called {indexes[0][0]} now")
    triggers = [row[0] for row in connection.execute(TRIGGERS, (table.oid,)).fetchall()]
    if triggers and left:
        notes.append(f"triggers say nothing until they fire ({', '.join(triggers)}): the downgrade tries them first")
    return tuple(notes)
