"""The prepared statements of a restore: one for a stretch of a batch, as long as tables and what batches set stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ..key import prepared_name, raw
from ..session.run import Run
from ..table import equal
from .journal import Images
from .restore_batch import AT, RestoreParts, locking
from .restore_rows import differing
from .restorer import Restorer
from .shape import UpdateEffects, row_lock

LOOKED_AT = 100  # rows that tell which columns to set


@dataclass
class Prepared:
    """The statement for the places after < n <= last of a batch. `watched`: something may interfere, so it compares.

    It sets the columns that the batch set; where that is not known, those in which its first rows differ.
    """

    run: Run
    of: Restorer | None = None
    shape: UpdateEffects | None = None
    columns: Sequence[str] = ()
    name: sql.Identifier | None = None
    watched: bool = False
    at: bool = False
    moved: bool = False

    def serves(self, of: Restorer, shape: UpdateEffects, *, late: bool) -> bool:
        """Whether the batch can go this way; prepares the statement where it does not stand yet."""
        if self.of is None or not of.alike(self.of) or self.shape != shape:
            self.forget()
            self.watched = shape.meddles or any(column.generated == "s" for column in of.images.table.columns)
            if not shape.rules:
                self._prepare(of, late=late)
            self.of, self.shape = of, shape
        return bool(self.columns)

    def forget(self) -> None:
        """Prepare the statement anew, next time: a try that got no lock may have prepared nothing."""
        self.of, self.shape, self.columns = None, None, ()

    def look_by_key(self) -> None:
        """Find rows by their primary key from now on: most of a stretch did not lie where they were left."""
        if self.at:
            self.moved = True
            self.forget()

    def _prepare(self, of: Restorer, *, late: bool) -> None:
        images, worker = of.images, self.run.worker
        columns = of.shared or differing(worker, images, of.batch, sql.SQL("<= {}").format(sql.Literal(LOOKED_AT)))
        if not columns or not set(columns) <= set(images.table.settable):
            return
        self.columns, self.name = columns, prepared_name("vaccine_restore")
        lock = row_lock(worker, images.table, columns)
        self.at = bool(of.shared) and not self.moved and _there_still(worker, images, of.batch)
        after, last = raw("$2"), raw("$3")
        parts = RestoreParts(images, columns, raw("$1"), of.shared, of.known, self.at, guarded=True)
        if self.watched:
            statement = parts.watched(parts.between(after, last), of.assigned, locking(lock, skip=True), late=late)
        else:
            statement = parts.plain(after, last, lock)
        worker.execute(sql.SQL("PREPARE {} (bigint, integer, integer) AS ").format(self.name) + statement)

    def statement(self, batch: int, after: int, last: int) -> sql.Composed:
        """What runs it for the places `after` < n <= `last`."""
        assert self.name is not None
        return sql.SQL("EXECUTE {} ({}, {}, {})").format(self.name, *map(sql.Literal, (batch, after, last)))

    def execute(self, batch: int, after: int, last: int) -> list[int]:
        """Restore these places, where nothing interferes; the places of those that it leaves."""
        row = self.run.worker.execute(self.statement(batch, after, last)).fetchone()
        assert row is not None
        return list(row[1])


def _there_still(connection: psycopg.Connection, images: Images, batch: int) -> bool:
    """Whether most of the batch's first rows lie where it left them."""
    number, place, image = map(sql.Identifier, images.meta)
    row = connection.execute(
        sql.SQL(
            "SELECT count(t.ctid) * 2 > count(*) FROM {images} AS b LEFT JOIN {source} AS t ON {at} AND {same}"
            " WHERE b.{number} = {batch} AND b.{image} = 'before' AND b.{place} <= {most}"
        ).format(
            images=images.relation, source=images.table.source, number=number, place=place, image=image,
            at=sql.SQL(AT).format(batch=sql.Literal(batch), place=place),
            same=equal("t", images.table.primary_key, "b", images.table.primary_key),
            batch=sql.Literal(batch), most=sql.Literal(LOOKED_AT),
        )
    ).fetchone()  # fmt: skip
    return bool(row and row[0])
