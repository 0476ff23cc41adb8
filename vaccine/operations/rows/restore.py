"""Give the rows their old images back, from the journal, newest batch first.

A row is restored only when it is still as Vaccine left it. A row that someone changed since keeps its newer values;
it is listed and its images stay in the journal. Where nothing meddles with an UPDATE, a stretch of a batch goes in one
statement (`restore_batch`); what that leaves, and all rows of other tables, are looked at one column after the other
(`restore_rows`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import psycopg

from ..key import Key
from ..session.run import Run
from ..table import TargetTable
from .journal import Images, has_journal, open_images
from .pace import Pace, Throttle
from .resolve import batch_settings, with_row_retries
from .restore_batch import Prepared
from .restore_rows import Piece, RestoreRows
from .shape import Watch

BATCHES = """
SELECT j.batch, j.images, j.shared_columns, j.row_count, j.restore_cursor, j.skipped_rows, i.primary_key
  FROM vaccine.journal j
  JOIN vaccine.image_tables i USING (images)
 WHERE j.plan = %s AND j.schema_name = %s AND j.table_name = %s AND j.key_columns = %s
   AND j.predicate IS NOT DISTINCT FROM %s AND j.outcome IN ('resolved', 'restoring') AND j.batch < %s
 ORDER BY j.batch DESC
 LIMIT 500
"""

KEPT = """
SELECT j.primary_keys -> (k.place - 1)
  FROM vaccine.journal j CROSS JOIN LATERAL unnest(j.kept_rows) AS k (place)
 WHERE j.batch = ANY (%s)
 ORDER BY j.batch, k.place
 LIMIT 20
"""

MOST_TOGETHER = 16  # batches in one transaction
Held = tuple[int, float]  # rows, and the milliseconds that their locks were held


@dataclass
class Restored:
    """What a restore did. `kept_keys` are primary keys of rows that were changed since, the first few of them."""

    rows: int = 0
    batches: list[int] = field(default_factory=list)
    kept: int = 0
    kept_keys: list[str] = field(default_factory=list)
    stamped: set[str] = field(default_factory=set)

    def lines(self, key: Key) -> list[str]:
        """What the DBA reads."""
        table = f"{key.schema}.{key.table}"
        if not self.batches:
            return [f"restored nothing: the journal holds no resolved rows of {key} for this plan"]
        lines = [f"restored {self.rows} row{'' if self.rows == 1 else 's'} of {table}"]
        if self.kept:
            more = ", …" if self.kept > len(self.kept_keys) else ""
            lines.append(
                f"{self.kept} row{'' if self.kept == 1 else 's'} of {table} changed or deleted since, left as found: "
                f"{', '.join(self.kept_keys)}{more}; their old images stay in the journal (`vaccine journal`)"
            )
        if self.stamped:
            lines.append(
                f"a trigger of {table} stamped {', '.join(sorted(self.stamped))} on restored rows, and this role may "
                "not silence it; the old values are in the journal (`vaccine journal`)"
            )
        return lines


def restore(run: Run, key: Key, plan: str, table: TargetTable) -> Restored:
    """Restore every row of a vaccination that is still as it was left.

    Raises:
        RestoreError: the table lacks a column that the journal holds.
        LockTimeoutError: a row stayed locked by another session through all tries.
    """
    done = Restored()
    Restoring(run, key, done).run_all(restorers(run, key, plan, table))
    if done.kept:
        rows = run.worker.execute(KEPT, (done.batches,)).fetchall()
        done.kept_keys = ["/".join(map(str, row[0])) for row in rows]
    return done


def restorers(run: Run, key: Key, plan: str, table: TargetTable) -> Iterator[Restorer]:
    """One for each batch that is yet to restore, newest first."""
    if not has_journal(run.worker):
        return
    number = 2**63 - 1
    where = (plan, key.schema, key.table, list(key.columns), key.where)
    opened: dict[str, Images] = {}
    while found := run.worker.execute(BATCHES, (*where, number)).fetchall():
        for number, name, shared, rows, cursor, skipped, primary_key in found:
            if name not in opened:
                shape = journalled(run.worker, table, name, tuple(primary_key))
                opened[name] = open_images(run.worker, name, shape)
            yield Restorer(run, opened[name], key, number, tuple(shared), rows, cursor, list(skipped))


def journalled(
    connection: psycopg.Connection, table: TargetTable, images: str, primary_key: tuple[str, ...]
) -> TargetTable:
    """The table with only those columns that an image table holds, and the primary key that it had then."""
    held = connection.execute(
        "SELECT attname::text FROM pg_catalog.pg_attribute"
        " WHERE attrelid = pg_catalog.to_regclass('vaccine.' || %s) AND attnum > 3 AND NOT attisdropped",
        (images,),
    ).fetchall()
    names_held = {row[0] for row in held}
    columns = tuple(column for column in table.columns if column.name in names_held)
    return replace(table, columns=columns, primary_key=primary_key)


@dataclass
class Restorer:
    """What is left to restore of one batch of the journal: the places behind `cursor`, and those that were skipped."""

    run: Run
    images: Images
    key: Key
    batch: int
    shared: tuple[str, ...]
    row_count: int
    cursor: int
    skipped: list[int]

    @property
    def ahead(self) -> int:
        """How many rows were not come to yet."""
        return self.row_count - self.cursor

    def by_column(self) -> RestoreRows:
        """The way for rows that one statement leaves."""
        return RestoreRows(self.run, self.images, self.key, self.batch, self.shared)

    def edited(self) -> list[str]:
        """The primary keys of rows that are no longer as they were left; changes nothing."""
        places = list(range(self.cursor + 1, self.row_count + 1)) + self.skipped
        same, _ = self.by_column().same(places)
        if len(same) == len(places):
            return []
        rows = self.run.worker.execute(
            "SELECT j.primary_keys -> (k.place - 1) FROM vaccine.journal j, unnest(%s::int[]) AS k (place)"
            " WHERE j.batch = %s ORDER BY k.place",
            (sorted(set(places) - set(same)), self.batch),
        ).fetchall()
        return ["/".join(map(str, row[0])) for row in rows]

    def take(self, places: Sequence[int], piece: Piece, done: Restored) -> None:
        """Keep in mind what became of these places, once that is committed."""
        self.cursor = max(self.cursor, places[-1])
        self.skipped = sorted((set(self.skipped) - set(places)) | set(piece.skipped))
        done.rows += len(piece.restored)
        done.kept += len(piece.kept)
        done.stamped |= piece.stamped


Part = tuple[Restorer, range, Piece]


@dataclass
class Restoring:
    """Restores batches in their order. `waiting` are the next ones: what is left of the first, and such as follow."""

    run: Run
    key: Key
    done: Restored
    waiting: list[Restorer] = field(default_factory=list)
    pace: Pace = field(init=False)
    watch: Watch = field(init=False)
    prepared: Prepared = field(init=False)
    throttle: Throttle = field(init=False)

    def __post_init__(self) -> None:
        """What learns and remembers does so for the whole run."""
        self.pace, self.watch = Pace(self.run.options.batch_ms), Watch(self.run.worker, batch_settings(self.run))
        self.prepared, self.throttle = Prepared(self.run), Throttle(self.run)

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
            self.pace.learn(*self._with_retries(first, self._stretch))
        while self.waiting and not self.waiting[0].ahead:
            restorer = self.waiting.pop(0)
            self._leftovers(restorer)
            self.done.batches.append(restorer.batch)

    def _leftovers(self, restorer: Restorer) -> None:
        number = 0
        while chosen := [place for place in restorer.skipped if place > number][: self.pace.rows]:
            self.pace.learn(*self._with_retries(restorer, partial(self._rows, restorer, chosen, skip=True)))
            number = chosen[-1]
        for place in restorer.skipped:
            self._with_retries(restorer, partial(self._rows, restorer, [place], skip=False))

    def _with_retries(self, restorer: Restorer, action: Callable[[], Held]) -> Held:
        table = restorer.images.table
        what = f"restore rows of {table.schema}.{table.name}; those done so far are committed"
        held = with_row_retries(self.run, self.key, action, what)
        self.throttle.rest()
        return held

    def _stretch(self) -> Held:
        """As many rows as the pace allows, of one batch or of several, in one transaction."""
        first = self.waiting[0]
        try:
            with self.watch.transaction(first.images.table) as shape:
                one = self.prepared.serves(first.images, first.batch, first.shared, shape)
                started = time.monotonic()
                parts = self._parts() if one else [self._part_by_column(first)]
        except psycopg.Error:
            self.prepared.forget()
            raise
        for restorer, places, piece in parts:
            restorer.take(places, piece, self.done)
        return sum(len(places) for _, places, _ in parts), (time.monotonic() - started) * 1000

    def _parts(self) -> list[Part]:
        """One statement a batch. A batch that leaves rows ends the stretch: a row may be in an older batch too."""
        first, room, parts = self.waiting[0], self.pace.rows, list[Part]()
        for restorer in self.waiting:
            alike = (restorer.images, restorer.shared) == (first.images, first.shared)
            if not (room and restorer.ahead and alike):
                break
            places = range(restorer.cursor + 1, restorer.cursor + min(room, restorer.ahead) + 1)
            left = self.prepared.execute(restorer.batch, restorer.cursor, places[-1])
            parts.append((restorer, places, Piece(sorted(set(places) - set(left)), [], left, set())))
            if len(left) * 2 > len(places):  # the table may have been rewritten
                self.prepared.look_by_key()
            if left or restorer.skipped:
                break
            room -= len(places)
        return parts

    def _part_by_column(self, restorer: Restorer) -> Part:
        last = restorer.cursor + min(self.pace.rows, restorer.ahead)
        places = range(restorer.cursor + 1, last + 1)
        return restorer, places, restorer.by_column().restore(list(places), skip=True, cursor=last)

    def _rows(self, restorer: Restorer, places: list[int], *, skip: bool) -> Held:
        """Rows that are left of a batch, in one transaction, each looked at."""
        with self.watch.transaction(restorer.images.table):
            started = time.monotonic()
            piece = restorer.by_column().restore(places, skip=skip)
        restorer.take(places, piece, self.done)
        return len(places), (time.monotonic() - started) * 1000
