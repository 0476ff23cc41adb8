"""Give the rows their old images back, from the journal, newest batch first.

A row is restored only when it is still as Vaccine left it. A row that someone changed since keeps its newer values;
it is listed and its images stay in the journal. A stretch of a batch goes in one statement (`restore_batch`). Where the
table refuses some of its rows, these are isolated (`restore_rows`): all others are restored, and the journal goes on
saying that those are not.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import psycopg
from psycopg import sql

from ..key import Key
from ..session.run import Run
from ..session.transaction import message
from ..table import TargetTable
from .evidence import UndoEvidence
from .pace import Pace, RowProgress, Throttle
from .resolve import batch_settings, with_row_retries
from .restore_prepared import Prepared
from .restore_rows import Memory, NotRestoredError, Piece, RestoreRows, elsewhere
from .restored import Restored
from .restorer import Restorer, evidence_of, lose, restorers
from .shape import UpdateEffects, Watch, deferred_triggers

MOST_TOGETHER = 16  # batches in one transaction
Held = tuple[int, float]  # rows, and the milliseconds that their locks were held
Part = tuple[Restorer, Sequence[int], Piece]

# Errors that say nothing of a row: of the server, the connection, its limits, or of locks, which are tried again.
NOT_OF_A_ROW = {"08", "25", "28", "40", "53", "55", "57", "58", "F0", "XX"}


def restore(run: Run, key: Key, plan: str, table: TargetTable, evidence: UndoEvidence | None = None) -> Restored:
    """Restore every row of a vaccination that is still as it was left, and whose images are there.

    Raises:
        LockTimeoutError: a row stayed locked by another session through all tries.
    """
    evidence = evidence or evidence_of(run, key, plan)
    done = Restored(lost=evidence.lost)
    lose(run, evidence)
    Restoring(run, key, done, evidence.left).run_all(restorers(run, key, plan, table, evidence))
    done.name_rows(run.worker)
    return done


def is_of_a_row(error: psycopg.Error) -> bool:
    """Whether an error may come from one row alone, so that others could go without it."""
    return error.sqlstate is not None and error.sqlstate[:2] not in NOT_OF_A_ROW


def may_change_late(connection: psycopg.Connection, shape: UpdateEffects) -> bool:
    """Whether a row may change once RETURNING has seen it."""
    return shape.late or shape.cascades or shape.rules or (shape.fires and deferred_triggers(connection))


@dataclass
class Restoring:
    """Restores batches in their order. `waiting` are the next ones: what is left of the first, and such as follow."""

    run: Run
    key: Key
    done: Restored
    total: int = 0
    waiting: list[Restorer] = field(default_factory=list)
    narrow: bool = False
    shape: UpdateEffects | None = None
    late: bool = False
    counted: bool = False
    of: Restorer | None = None
    memory: Memory = field(default_factory=Memory)
    pace: Pace = field(init=False)
    watch: Watch = field(init=False)
    prepared: Prepared = field(init=False)
    throttle: Throttle = field(init=False)
    progress: RowProgress = field(init=False)

    def __post_init__(self) -> None:
        """What learns and remembers does so for the whole run."""
        self.pace, self.watch = Pace(self.run.options.batch_ms), Watch(self.run.worker, batch_settings(self.run))
        self.prepared, self.throttle = Prepared(self.run), Throttle(self.run)
        what = f"restoring rows of {self.key.schema}.{self.key.table}"
        self.progress = RowProgress(self.run.say, what, self.total)

    def run_all(self, batches: Iterable[Restorer]) -> None:
        """Restore all of them."""
        for restorer in batches:
            self.waiting.append(restorer)
            while sum(each.ahead for each in self.waiting) >= self.pace.rows or len(self.waiting) == MOST_TOGETHER:
                self._advance()
        while self.waiting:
            self._advance()

    def _advance(self) -> None:
        """One stretch; a batch that it came to the end of is done with before the next one is begun.

        What a stretch left of a batch comes then: in pieces, and what others hold even then row by row.
        """
        first = self.waiting[0]
        if first.ahead:
            places = self._next(first)
            try:
                self.pace.learn(*self._with_retries(first, self._stretch))
            except (NotRestoredError, psycopg.Error) as error:
                self._or_raise(error)
                self._isolate(first, list(places))
        while self.waiting and not self.waiting[0].ahead:
            restorer = self.waiting.pop(0)
            self._leftovers(restorer)
            self.done.batches.append(restorer.batch)
            self.done.take_stuck(restorer.batch, restorer.stuck)

    def _next(self, restorer: Restorer) -> range:
        """The places of a batch that come next."""
        return range(restorer.cursor + 1, restorer.cursor + min(self.pace.rows, restorer.ahead) + 1)

    def _leftovers(self, restorer: Restorer) -> None:
        number = 0
        while chosen := [place for place in restorer.waiting if place > number][: self.pace.rows]:
            self._isolate(restorer, chosen)
            number = chosen[-1]
        for place in restorer.waiting:
            self._isolate(restorer, [place], skip=False)

    def _isolate(self, restorer: Restorer, places: list[int], *, skip: bool = True) -> None:
        """Restore these places in pieces; one that the table refuses is halved until the rows that do not go are known.

        In their order, so that the journal's cursor never passes a row that is not accounted for.
        """
        pieces = [places]
        while pieces:
            piece = pieces.pop(0)
            try:
                self.pace.learn(*self._with_retries(restorer, partial(self._rows, restorer, piece, skip=skip)))
            except NotRestoredError as error:
                restorer.stuck |= dict.fromkeys(error.places, error.why)
                if rest := [place for place in piece if place not in restorer.stuck]:
                    pieces.insert(0, rest)
            except psycopg.Error as error:
                self._or_raise(error)
                if len(piece) > 1:
                    half = len(piece) // 2
                    pieces[:0] = [piece[:half], piece[half:]]
                else:
                    restorer.stuck[piece[0]] = str(error).strip().splitlines()[0]
        if any(place in restorer.stuck for place in places):
            self._with_retries(restorer, partial(self._note_stuck, restorer, places))

    def _or_raise(self, error: Exception) -> None:
        """Go on only where some rows may be the cause."""
        self.prepared.forget()
        if isinstance(error, psycopg.Error) and not is_of_a_row(error):
            raise error

    def _with_retries(self, restorer: Restorer, action: Callable[[], Held]) -> Held:
        table = restorer.images.table
        what = f"restore rows of {table.schema}.{table.name}; those done so far are committed"
        held = with_row_retries(self.run, self.key, action, what)
        self.progress.show(self.done.rows + self.done.kept)
        self.throttle.rest()
        return held

    def _stretch(self) -> Held:
        """As many rows as the pace allows, of one batch or of several, in one transaction."""
        first = self.waiting[0]
        try:
            with self._transaction(first) as notes:
                started = time.monotonic()
                parts = self._parts(first, notes)
        except (NotRestoredError, psycopg.Error):
            self.prepared.forget()
            raise
        for restorer, places, piece in parts:
            restorer.take(places, piece, self.done)
        return sum(len(places) for _, places, _ in parts), (time.monotonic() - started) * 1000

    @contextmanager
    def _transaction(self, restorer: Restorer) -> Iterator[list[sql.Composable]]:
        """A transaction on the table, looked at. It ends with what is noted in the list that it gives.

        What the table's triggers change elsewhere in it is counted.
        """
        notes: list[sql.Composable] = []
        table, before, worker = restorer.images.table, Counter[tuple[str, str]](), self.run.worker
        with self.watch.transaction(table) as shape:
            if shape != self.shape or self.of is None or not restorer.alike(self.of):
                self.shape, self.of, self.memory = shape, restorer, Memory()
                self.late = may_change_late(worker, shape)
            if shape.fires and not self.counted:
                before = elsewhere(worker, table.oid)
            self.counted = False
            yield notes
            if shape.fires:
                self.done.elsewhere.update(elsewhere(worker, table.oid, notes) - before)
            elif notes:
                worker.execute(message(worker, *notes))
        self.counted = shape.fires and worker.info.server_version >= 150000  # all that came before is taken over

    def _looked_at(self, restorer: Restorer) -> RestoreRows:
        assert self.shape is not None
        return restorer.looked_at(self.shape, late=self.late, memory=self.memory)

    def _parts(self, first: Restorer, notes: list[sql.Composable]) -> list[Part]:
        """One statement a batch. A batch that leaves rows ends the stretch: a row may be in an older batch too."""
        assert self.shape is not None
        if self.narrow or not self.prepared.serves(first, self.shape, late=self.late):
            return [self._part_by_rows(first, notes)]
        room, parts = self.pace.rows, list[Part]()
        for restorer in self.waiting:
            if not (room and restorer.ahead and restorer.alike(first)):
                break
            places = range(restorer.cursor + 1, restorer.cursor + min(room, restorer.ahead) + 1)
            piece = self._piece(restorer, places, notes)
            parts.append((restorer, places, piece))
            if len(piece.skipped) * 2 > len(places):  # the table may have been rewritten
                self.prepared.look_by_key()
                break
            if piece.skipped or restorer.skipped:
                break
            room -= len(places)
        return parts

    def _piece(self, restorer: Restorer, places: range, notes: list[sql.Composable]) -> Piece:
        """The next places of a batch, by the prepared statement; all that it leaves is skipped."""
        if not self.prepared.watched:
            left = self.prepared.execute(restorer.batch, restorer.cursor, places[-1])
            return Piece(sorted(set(places) - set(left)), [], left, set())
        rows = self._looked_at(restorer)
        statement = self.prepared.statement(restorer.batch, restorer.cursor, places[-1])
        piece = rows.stretch(places, self.prepared.columns, statement)
        notes.append(rows.note([], piece, places[-1]))
        return piece

    def _part_by_rows(self, restorer: Restorer, notes: list[sql.Composable]) -> Part:
        """The next places of a batch where nothing is prepared: a rule, or a trigger that takes no more than this."""
        places = self._next(restorer)
        rows = self._looked_at(restorer)
        piece = rows.restore(list(places), skip=True, narrow=self.narrow)
        notes.append(rows.note([], piece, places[-1]))
        return restorer, places, piece

    def _rows(self, restorer: Restorer, places: list[int], *, skip: bool) -> Held:
        """Chosen rows of a batch, in one transaction, each looked at; narrowly where a trigger refuses the whole."""
        try:
            return self._rows_so(restorer, places, skip=skip, narrow=self.narrow)
        except psycopg.Error as error:
            if self.narrow or not is_of_a_row(error) or str(error.sqlstate)[:2] == "23" or not restorer.assigned:
                raise
            held = self._rows_so(restorer, places, skip=skip, narrow=True)
            self.narrow = True
            return held

    def _rows_so(self, restorer: Restorer, places: list[int], *, skip: bool, narrow: bool) -> Held:
        with self._transaction(restorer) as notes:
            started = time.monotonic()
            rows = self._looked_at(restorer)
            piece = rows.restore(places, skip=skip, narrow=narrow)
            passed = restorer.passed(places, piece)
            notes.append(rows.note(places, passed, places[-1] if places[-1] > restorer.cursor else 0))
        restorer.take(places, piece, self.done)
        return len(places), (time.monotonic() - started) * 1000

    def _note_stuck(self, restorer: Restorer, places: list[int]) -> Held:
        """The rows that cannot go back stay in the journal, as such that are yet to restore."""
        with self._transaction(restorer) as notes:
            piece = restorer.passed(places, Piece([], [], [], set()))
            last = places[-1] if places[-1] > restorer.cursor else 0
            notes.append(self._looked_at(restorer).note([], piece, last))
        restorer.give_up(places[-1])
        return 1, 0.0
