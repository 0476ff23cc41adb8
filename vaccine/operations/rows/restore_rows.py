"""Rows put back on tables where something may interfere, or that one statement left: each is compared afterwards.

Triggers of the table fire as for any update; what they stamp over the old image is put right with
session_replication_role = replica where the role may, else named. A row of which an assigned column did not come back
is not restored: its transaction is rolled back, and `NotRestoredError` says which rows those were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from ..key import prepared_name, raw
from ..session.run import Run
from ..session.transaction import first_row, message, only_row
from .journal import Images
from .recheck import numbers
from .restore_batch import RestoreParts, image_equal, locking
from .shape import UpdateEffects, row_lock

# Silent triggers mean silent foreign keys too, and triggers that fire only on replicas: leave those tables alone.
NOT_SILENCEABLE = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) AS k (attnum)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
                WHERE c.contype = 'f' AND c.conrelid = %(table)s AND a.attname = ANY (%(columns)s))
    OR EXISTS (SELECT FROM pg_catalog.pg_constraint c CROSS JOIN LATERAL unnest(c.confkey) AS k (attnum)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum
                WHERE c.contype = 'f' AND c.confrelid = %(table)s AND a.attname = ANY (%(columns)s))
    OR EXISTS (SELECT FROM pg_catalog.pg_trigger t
                WHERE t.tgrelid = %(table)s AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R'))
"""

# Counted by the server for this session: what triggers wrote to other tables (manual, section 27.2.2).
ELSEWHERE = """
SELECT c.oid::pg_catalog.regclass::text, s.inserted, s.updated, s.deleted
  FROM pg_catalog.pg_class AS c
 CROSS JOIN LATERAL (SELECT pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid),
                            pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
                            pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)) AS s (inserted, updated, deleted)
 WHERE c.relkind = 'r' AND c.relnamespace <> 'vaccine'::pg_catalog.regnamespace
   AND c.oid <> ALL (SELECT {table}::oid UNION ALL SELECT p.relid FROM pg_catalog.pg_partition_tree({table}::oid) AS p)
   AND s.inserted + s.updated + s.deleted > 0
"""

DID = ("inserted", "updated", "deleted")
FLUSH = sql.SQL("SELECT pg_catalog.pg_stat_force_next_flush()")
CONSTRAINTS = sql.SQL("SET CONSTRAINTS ALL IMMEDIATE")

NOTE = """
UPDATE vaccine.journal j
   SET restored_count = j.restored_count + {restored}, kept_rows = j.kept_rows || {kept},
       restore_cursor = greatest(j.restore_cursor, {cursor}), skipped_rows = still.places,
       stamped_columns = ARRAY(SELECT unnest(j.stamped_columns) UNION SELECT unnest({stamped}::text[])),
       outcome = CASE WHEN greatest(j.restore_cursor, {cursor}) < j.row_count OR cardinality(still.places) > 0
                      THEN 'restoring' WHEN cardinality(j.lost_rows) > 0 THEN 'pruned' ELSE 'restored' END,
       restored_at = clock_timestamp()
  FROM (SELECT ARRAY(SELECT unnest(o.skipped_rows) EXCEPT SELECT unnest({places})
                     UNION SELECT unnest({skipped}) ORDER BY 1) AS places
          FROM vaccine.journal o WHERE o.batch = {batch}) AS still
 WHERE j.batch = {batch}
"""


class NotRestoredError(Exception):
    """Rows that were set and did not come back: a trigger or a rule interferes. Their transaction is rolled back."""

    def __init__(self, places: Sequence[int], why: str) -> None:
        super().__init__(why)
        self.places = tuple(places)
        self.why = why


@dataclass(frozen=True)
class RowVerdict:
    """What became of rows that were set: those that were as left, those that did not come back, those astray."""

    same: list[int]
    swallowed: list[int]
    columns: list[str]
    astray: list[int]
    not_back: list[int]

    @classmethod
    def of(cls, row: Sequence[Any] | None) -> RowVerdict:
        """From the row that the statements of `RestoreParts` return."""
        assert row is not None
        return cls(*(list(each) for each in row[-5:]))


@dataclass(frozen=True)
class Piece:
    """What became of some places of a batch: restored, kept with newer values, skipped because others hold them.

    `stamped` are the columns that a trigger stamped over the old values.
    """

    restored: list[int]
    kept: list[int]
    skipped: list[int]
    stamped: set[str]


@dataclass
class Memory:
    """What holds for many pieces: which columns may be set silently, and the statements that are prepared.

    As long as the table has the same triggers, and batches the same columns and images.
    """

    silenced: dict[tuple[str, ...], bool] = field(default_factory=dict)
    prepared: dict[tuple[str, ...], sql.Identifier] = field(default_factory=dict)


@dataclass(frozen=True)
class RestoreRows:
    """Restores places of one batch of the journal, each looked at; `assigned` are the columns that must come back."""

    run: Run
    images: Images
    batch: int
    shared: tuple[str, ...]
    known: Mapping[str, sql.Composable]
    assigned: tuple[str, ...]
    effects: UpdateEffects
    late: bool
    memory: Memory = field(default_factory=Memory)

    def stretch(self, places: Sequence[int], columns: Sequence[str], statement: sql.Composable) -> Piece:
        """Restore these places by a prepared statement that does `watched` for them and sets these columns.

        Raises:
            NotRestoredError: rows did not come back.
        """
        verdict = RowVerdict.of(first_row(self.run.worker, statement, CONSTRAINTS))
        verdict = self._all_back(self._parts(columns), verdict)
        return Piece(verdict.same, [], sorted(set(places) - set(verdict.same)), set(verdict.columns))

    def restore(self, places: list[int], *, skip: bool, narrow: bool = False) -> Piece:
        """Restore these places, in a transaction that its caller has opened and in which `note` follows.

        Args:
            places: the rows, by their number in the batch.
            skip: leave rows that another session holds, instead of waiting for them.
            narrow: set nothing but what was assigned, so that triggers see no other column change.

        Raises:
            NotRestoredError: rows did not come back.
        """
        columns: Sequence[str] = self.assigned if narrow else self.shared or self.differing(places)
        parts = self._parts([name for name in columns if name in self.images.table.settable])
        lock = row_lock(self.run.worker, self.images.table, columns)
        if not skip:  # once the lock is there, a look in a new snapshot says all
            self.run.worker.execute(parts.there(parts.any_of(numbers(places)), locking(lock, skip=False)))
        verdict = self._all_back(parts, self._put_back(parts, places, locking(lock, skip=skip)))
        left = sorted(set(places) - set(verdict.same))
        skipped = self.as_left(left) if skip and left else []
        kept = sorted(set(left) - set(skipped))
        return Piece(verdict.same, kept, skipped, set(verdict.columns))

    def as_left(self, places: list[int]) -> list[int]:
        """Of these places, those whose rows are as they were left."""
        parts = self._parts(self.shared or self.images.table.settable)
        row = self.run.worker.execute(parts.as_left(parts.any_of(numbers(places)))).fetchone()
        assert row is not None
        return list(row[0])

    def differing(self, places: list[int]) -> list[str]:
        """The columns in which the two images of any of these rows differ."""
        return differing(self.run.worker, self.images, self.batch, sql.SQL("= ANY ({})").format(numbers(places)))

    def note(self, places: Sequence[int], piece: Piece, cursor: int) -> sql.Composed:
        """What writes the journal; `cursor` is up to where the batch has been gone through then.

        `places` are those that may have been skipped before.
        """
        return sql.SQL(NOTE).format(
            restored=sql.Literal(len(piece.restored)), kept=numbers(piece.kept), cursor=sql.Literal(cursor),
            stamped=sql.Literal(sorted(piece.stamped)), places=numbers(list(places)), skipped=numbers(piece.skipped),
            batch=sql.Literal(self.batch),
        )  # fmt: skip

    def _put_back(self, parts: RestoreParts, places: list[int], lock: sql.Composable) -> RowVerdict:
        """The rows that are as left, set."""
        worker, chosen = self.run.worker, parts.any_of(numbers(places))
        if parts.columns and not self.effects.rules:
            return RowVerdict.of(
                first_row(worker, parts.watched(chosen, self.assigned, lock, late=self.late), CONSTRAINTS)
            )
        row = worker.execute(parts.as_left(chosen, lock)).fetchone()
        assert row is not None
        verdict = RowVerdict(list(row[0]), [], [], [], [])
        if parts.columns and verdict.same:
            worker.execute(parts.alone(numbers(verdict.same)))
            worker.execute(CONSTRAINTS)
        return verdict

    def _all_back(self, parts: RestoreParts, verdict: RowVerdict) -> RowVerdict:
        """The verdict once all that has a say has had it.

        Raises:
            NotRestoredError: an assigned column did not come back.
        """
        if self.late or not parts.columns:
            verdict = self._reread(verdict)
        verdict = self._overruled(parts, verdict)
        if not_back := sorted({*verdict.swallowed, *verdict.not_back}):
            which = set(verdict.columns) & set(self.assigned)
            what = f"{', '.join(sorted(which))} did not come back" if which else "the UPDATE left no row"
            raise NotRestoredError(not_back, f"{what}: a trigger or a rule of the table interferes")
        return verdict

    def _reread(self, verdict: RowVerdict) -> RowVerdict:
        """The verdict on the rows as they are now."""
        came = sorted(set(verdict.same) - set(verdict.swallowed))
        if not came:
            return verdict
        statement = self._prepared("reread", (), came)
        now = RowVerdict.of(self.run.worker.execute(statement).fetchone())
        return RowVerdict(verdict.same, verdict.swallowed, now.columns, now.astray, now.not_back)

    def _overruled(self, parts: RestoreParts, verdict: RowVerdict) -> RowVerdict:
        """What triggers stamped over old values, or swallowed, is set once more with triggers silent, where we may."""
        settable = set(self.images.table.settable)
        again = sorted({*verdict.columns, *(parts.columns if verdict.swallowed else ())} & settable)
        if not again or not self._may_silence(again):
            return verdict
        silent, loud = (sql.SQL(f"SET LOCAL session_replication_role = {role}") for role in ("replica", "origin"))
        statement = self._prepared("again", again, [*verdict.astray, *verdict.swallowed])
        now = RowVerdict.of(only_row(self.run.worker, silent, statement, loud))
        fixed = set(now.same) - set(now.not_back)
        swallowed, not_back = (
            [place for place in places if place not in fixed] for places in (verdict.swallowed, verdict.not_back)
        )
        return RowVerdict(verdict.same, swallowed, now.columns, now.astray, not_back)

    def _may_silence(self, columns: list[str]) -> bool:
        worker, asked = self.run.worker, tuple(columns)
        if asked not in self.memory.silenced:
            allowed = (
                "pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
                if worker.info.server_version >= 150000
                else "(SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)"
            )
            question = f"SELECT {allowed} AND NOT ({NOT_SILENCEABLE})"
            row = worker.execute(question, {"table": self.images.table.oid, "columns": columns}).fetchone()
            self.memory.silenced[asked] = bool(row and row[0])
        return self.memory.silenced[asked]

    def _prepared(self, what: str, columns: Sequence[str], places: list[int]) -> sql.Composed:
        """A statement for chosen places, prepared when it is needed first."""
        key = (what, *columns)
        if key not in self.memory.prepared:
            parts = RestoreParts(self.images, (), raw("$1"), self.shared, self.known)
            whole = parts.reread(raw("$2"), self.assigned) if what == "reread" else None
            name = prepared_name(f"vaccine_{what}")
            prepare = sql.SQL("PREPARE {} (bigint, integer[]) AS {}").format(
                name, whole or parts.again(raw("$2"), columns, self.assigned)
            )
            self.run.worker.execute(prepare)
            self.memory.prepared[key] = name
        return sql.SQL("EXECUTE {} ({}, {})").format(
            self.memory.prepared[key], sql.Literal(self.batch), numbers(places)
        )

    def _parts(self, columns: Sequence[str]) -> RestoreParts:
        return RestoreParts(self.images, columns, sql.Literal(self.batch), self.shared, self.known)


def elsewhere(
    connection: psycopg.Connection, table: int, notes: Sequence[sql.Composable] = ()
) -> Counter[tuple[str, str]]:
    """Write the journal; and the rows of other tables that were changed, by table and what was done to them.

    That is counted since the server last took over this session's counts, which the end of this transaction makes it do
    from PostgreSQL 15 on.
    """
    ask = sql.SQL(ELSEWHERE).format(table=sql.Literal(table))
    flush = [FLUSH] if connection.info.server_version >= 150000 else []
    cursor = connection.execute(message(connection, *notes, *flush, ask))
    while cursor.nextset():
        pass
    found: Counter[tuple[str, str]] = Counter()
    for name, *counts in cursor.fetchall():
        found.update({(name, did): n for did, n in zip(DID, counts, strict=True) if n})
    return found


def differing(connection: psycopg.Connection, images: Images, batch: int, places: sql.Composable) -> list[str]:
    """The settable columns in which the two images of these rows of a batch differ; `places` ends the condition."""
    columns = images.table.settable
    pairs = ([sql.Identifier(alias, name) for alias in ("b", "a")] for name in columns)
    differs = [sql.SQL("coalesce(bool_or(NOT {}), FALSE)").format(image_equal([old], [new])) for old, new in pairs]
    number, place, image = map(sql.Identifier, images.meta)
    row = connection.execute(
        sql.SQL(
            "SELECT ARRAY[{differs}]::boolean[] FROM {images} AS b JOIN {images} AS a ON a.{number} = b.{number}"
            " AND a.{place} = b.{place} AND a.{image} = 'after'"
            " WHERE b.{number} = {batch} AND b.{image} = 'before' AND b.{place} {places}"
        ).format(
            differs=sql.SQL(", ").join(differs), images=images.relation, number=number, place=place, image=image,
            batch=sql.Literal(batch), places=places,
        )
    ).fetchone()  # fmt: skip
    assert row is not None
    return [name for name, flag in zip(columns, row[0], strict=True) if flag]
