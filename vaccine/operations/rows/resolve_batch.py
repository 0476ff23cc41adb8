"""One batch in one statement, prepared once: for rows of which each has a new image of its own.

Of the rows that it locked (`batch_parts`) it writes the old images, resolves, writes the new images and the journal's
row. What it leaves (locked, changed or gone since) is for `recheck`, which looks again under the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from ..key import names
from ..table import equal
from .batch_parts import AFTER, CHANGED, LOCKED, BatchParts
from .find import live_key


@dataclass(frozen=True)
class BatchStatement(BatchParts):
    """The statement of one batch: the work rows `after` < n <= `last`, both SQL (a literal, or $1 and $2).

    It returns the batch's number, how many rows were locked, changed, found again, are live still, and, where not
    all work rows were locked, the numbers of those that were. With `late` it writes no new images: `reread` does.
    """

    late: bool
    fires: bool

    def statement(self, after: sql.Composable, last: sql.Composable) -> sql.Composed:
        """All of it."""
        table, own = self.work.table, sql.SQL("NULL::tid[]")
        parts = [
            self.number_part(),
            sql.SQL("{} AS MATERIALIZED (\n{}\n)").format(
                LOCKED, self.locked_rows(after, last, names(table.names, "t"))
            ),
            sql.SQL('"vaccine before" AS (\n{}\n)').format(self.old_images(LOCKED, table.names)),
            sql.SQL("{} AS (\n{}\n)").format(CHANGED, self._changed()),
            sql.SQL('"vaccine noted" AS (\n{}\n)').format(self.note(LOCKED, (), own)),
            sql.SQL('"vaccine counted" AS (\n{}\n)').format(self.count(LOCKED)),
        ]
        if not self.late:
            parts.append(
                sql.SQL("{} AS (\n{}{}\nRETURNING ({}) IS TRUE AS live\n)").format(
                    AFTER,
                    self.write_images(CHANGED, "after", names(table.names, "r")),
                    self._same_key(),
                    live_key(self.work.key),
                )
            )
        found = (
            "NULL::bigint, NULL::bigint"
            if self.late
            else "(SELECT count(*) FROM {0}), (SELECT count(*) FROM {0} WHERE live)"
        )
        return sql.SQL(
            "WITH {parts}\nSELECT {number}, l.rows, (SELECT count(*) FROM {changed}), {found},\n"
            "CASE WHEN l.rows < {last} - {first} THEN l.places END\n"
            "FROM (SELECT count(*), pg_catalog.array_agg({n}) FROM {locked}) AS l (rows, places)"
        ).format(
            parts=sql.SQL(", ").join(parts),
            number=self._number,
            changed=CHANGED,
            found=sql.SQL(found).format(AFTER),
            first=after,
            last=last,
            n=self._n,
            locked=LOCKED,
        )

    def reread(self, batch: sql.Composable) -> sql.Composed:
        """The new images, read from the table; run once triggers and deferred constraints have had their say."""
        table, (number, place, image) = self.work.table, map(sql.Identifier, self.images.meta)
        return sql.SQL(
            "WITH {after} AS (\nINSERT INTO {images} AS {alias} ({columns})\n"
            "SELECT b.{number}, b.{place}, 'after', {new}\nFROM {images} AS b JOIN {source} AS t ON {same}\n"
            "WHERE b.{number} = {batch} AND b.{image} = 'before'\nRETURNING ({live}) IS TRUE AS live\n)\n"
            "SELECT count(*), count(*) FILTER (WHERE live) FROM {after}"
        ).format(
            after=AFTER,
            images=self.images.relation,
            alias=sql.Identifier(table.name),
            columns=self.images.columns,
            number=number,
            place=place,
            image=image,
            new=names(table.names, "t"),
            source=table.source,
            same=equal("t", table.primary_key, "b", table.primary_key),
            batch=batch,
            live=live_key(self.work.key),
        )

    def _changed(self) -> sql.Composed:
        work, table = self.work, self.work.table
        columns = (self.images.meta[1], *work.excess, work.seen[0])
        rows = sql.SQL("SELECT {} FROM {}").format(names(columns), LOCKED)
        new = sql.SQL(", ").join(sql.SQL("{}.{}").format(table.relation, sql.Identifier(name)) for name in table.names)
        return self.update(rows, sql.SQL("{}, {}").format(self.of_row((self.images.meta[1], *work.excess)), new))

    def _same_key(self) -> sql.Composable:
        """A row that a BEFORE trigger gave another primary key is not found again; without triggers none can."""
        if not self.fires:
            return sql.SQL("")
        return sql.SQL("\nWHERE pg_catalog.record_image_eq(ROW({}), ROW({}))").format(
            names(self.work.table.primary_key, "r"), names(self.work.excess, "r")
        )
