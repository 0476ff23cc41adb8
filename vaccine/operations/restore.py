"""Give the rows their old images back, from the journal, newest batch first.

A row is restored only when it is still as Vaccine left it. A row that someone changed since keeps its newer values;
it is listed and its images stay in the journal. Where nothing meddles with an UPDATE, a stretch of a batch goes in one
statement (`restore_batch`); what that leaves, and all rows of other tables, are looked at one column after the other
(`restore_rows`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import psycopg

from .dedupe import batch_settings, with_row_retries
from .journal import Images, has_journal, open_images
from .key import Key
from .pace import Pace, Throttle
from .restore_batch import Prepared
from .restore_rows import Piece, RestoreRows
from .run import Run
from .shape import Watch
from .table import Table

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


def restore(run: Run, key: Key, plan: str, table: Table) -> Restored:
    """Restore every row of a vaccination that is still as it was left.

    Raises:
        RestoreError: the table lacks a column that the journal holds.
        LockTimeoutError: a row stayed locked by another session through all tries.
    """
    done = Restored()
    prepared, throttle = Prepared(run), Throttle(run)
    for restorer in restorers(run, key, plan, table):
        restorer.run_all(done, prepared, throttle)
        done.batches.append(restorer.batch)
    if done.kept:
        rows = run.worker.execute(KEPT, (done.batches,)).fetchall()
        done.kept_keys = ["/".join(map(str, row[0])) for row in rows]
    return done


def restorers(run: Run, key: Key, plan: str, table: Table) -> Iterator[Restorer]:
    """One for each batch that is yet to restore, newest first."""
    if not has_journal(run.worker):
        return
    number = 2**63 - 1
    where = (plan, key.schema, key.table, list(key.columns), key.where)
    opened: dict[str, Images] = {}
    pace, watch = Pace(run.options.batch_ms), Watch(run.worker)
    while found := run.worker.execute(BATCHES, (*where, number)).fetchall():
        for number, name, shared, rows, cursor, skipped, primary_key in found:
            if name not in opened:
                shape = journalled(run.worker, table, name, tuple(primary_key))
                opened[name] = open_images(run.worker, name, shape)
            yield Restorer(run, opened[name], key, number, tuple(shared), rows, cursor, list(skipped), pace, watch)


def journalled(connection: psycopg.Connection, table: Table, images: str, primary_key: tuple[str, ...]) -> Table:
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
    """Restores one batch of the journal."""

    run: Run
    images: Images
    key: Key
    batch: int
    shared: tuple[str, ...]
    row_count: int
    cursor: int
    skipped: list[int]
    pace: Pace
    watch: Watch

    def run_all(self, done: Restored, prepared: Prepared, throttle: Throttle) -> None:
        """Stretch after stretch, then the rows that are left: in batches, and those that others hold one by one."""
        while self.cursor < self.row_count:
            last = min(self.cursor + self.pace.rows, self.row_count)
            held = self._with_retries(partial(self._stretch, last, done, prepared))
            self.pace.learn(last - self.cursor, held)
            self.cursor = last
            throttle.rest()
        number = 0
        while chosen := sorted(place for place in self.skipped if place > number)[: self.pace.rows]:
            self.pace.learn(len(chosen), self._with_retries(partial(self._rows, chosen, done, skip=True)))
            number = chosen[-1]
            throttle.rest()
        for place in sorted(self.skipped):
            self._with_retries(partial(self._rows, [place], done, skip=False))
            throttle.rest()

    def edited(self) -> list[str]:
        """The primary keys of rows that are no longer as they were left; changes nothing."""
        places = list(range(self.cursor + 1, self.row_count + 1)) + self.skipped
        same, _ = self._by_column().same(places)
        if len(same) == len(places):
            return []
        rows = self.run.worker.execute(
            "SELECT j.primary_keys -> (k.place - 1) FROM vaccine.journal j, unnest(%s::int[]) AS k (place)"
            " WHERE j.batch = %s ORDER BY k.place",
            (sorted(set(places) - set(same)), self.batch),
        ).fetchall()
        return ["/".join(map(str, row[0])) for row in rows]

    def _by_column(self) -> RestoreRows:
        return RestoreRows(self.run, self.images, self.key, self.batch, self.shared)

    def _with_retries(self, action: Callable[[], float]) -> float:
        table = self.images.table
        what = f"restore rows of {table.schema}.{table.name}; those done so far are committed"
        return with_row_retries(self.run, self.key, action, what)

    def _stretch(self, last: int, done: Restored, prepared: Prepared) -> float:
        """Restore the rows up to `last`, in one statement where that serves; the milliseconds that locks were held."""
        worker = self.run.worker
        places = list(range(self.cursor + 1, last + 1))
        try:
            with worker.pipeline(), worker.transaction():
                worker.execute(batch_settings(self.run))
                shape = self.watch.lock(self.images.table)
                one = prepared.serves(self.images, self.batch, self.shared, shape)
                started = time.monotonic()
                if one:
                    _, left = prepared.execute(self.batch, self.cursor, last)
                    piece = Piece(sorted(set(places) - set(left)), [], left, set())
                else:
                    piece = self._by_column().restore(places, skip=True, cursor=last)
        except psycopg.Error:
            prepared.forget()
            raise
        self._count(places, piece, done)
        return (time.monotonic() - started) * 1000

    def _rows(self, places: list[int], done: Restored, *, skip: bool) -> float:
        """Restore these rows in one transaction, each looked at; the milliseconds that locks were held."""
        worker = self.run.worker
        with worker.pipeline(), worker.transaction():
            worker.execute(batch_settings(self.run))
            self.watch.lock(self.images.table)
            started = time.monotonic()
            piece = self._by_column().restore(places, skip=skip)
        self._count(places, piece, done)
        return (time.monotonic() - started) * 1000

    def _count(self, places: list[int], piece: Piece, done: Restored) -> None:
        self.skipped = sorted((set(self.skipped) - set(places)) | set(piece.skipped))
        done.rows += len(piece.restored)
        done.kept += len(piece.kept)
        done.stamped |= piece.stamped
