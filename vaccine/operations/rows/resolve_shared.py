"""One batch in one statement, prepared once, for rows that share what is set: most of a vaccination goes this way.

Where nothing but the assignment of literals has a say, the new rows follow from the old ones, and one new image, that
of the first row, serves all. So the UPDATE takes the rows as they are locked (`batch_parts`) and hands on the old
values, of which images and the journal's row are written. What it leaves is for `recheck`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ..key import Value, names
from ..table import TargetTable
from .batch_parts import AFTER, CHANGED, BatchParts
from .find import live_key
from .shape import UpdateEffects, read_shape


@dataclass(frozen=True)
class SharedStatement(BatchParts):
    """The statement of one batch: the work rows `after` < n <= `last`, both SQL (a literal, or $1 and $2).

    It returns what `BatchStatement` does; a row that was locked was changed, and is found again. `shared` are the
    columns that are set.
    """

    shared: tuple[str, ...]

    def statement(self, after: sql.Composable, last: sql.Composable) -> sql.Composed:
        """All of it."""
        place, at = sql.Identifier(self.images.meta[1]), sql.Identifier(self._at)
        left_at = sql.SQL("pg_catalog.array_agg(r.{} ORDER BY r.{})").format(at, place)
        parts = [
            self.number_part(),
            sql.SQL("{} AS (\n{}\n)").format(CHANGED, self._changed(after, last)),
            sql.SQL('"vaccine before" AS (\n{}\n)').format(self.old_images(CHANGED, self._old)),
            sql.SQL('"vaccine noted" AS (\n{}\n)').format(self.note(CHANGED, self.shared, left_at)),
            sql.SQL('"vaccine counted" AS (\n{}\n)').format(self.count(CHANGED)),
            sql.SQL("{} AS (\n{} WHERE r.{} = 1\n)").format(
                AFTER, self.write_images(CHANGED, "after", self._first_row()), place
            ),
        ]
        return sql.SQL(
            "WITH {parts}\nSELECT {number}, c.rows, c.rows, c.rows, c.live,\n"
            "CASE WHEN c.rows < {last} - {first} THEN c.places END\n"
            "FROM (SELECT count(*), count(*) FILTER (WHERE {live}), pg_catalog.array_agg({n}) FROM {changed})"
            " AS c (rows, live, places)"
        ).format(
            parts=sql.SQL(", ").join(parts),
            number=self._number,
            last=last,
            first=after,
            live=sql.Identifier(self._live),
            n=self._n,
            changed=CHANGED,
        )

    def _changed(self, after: sql.Composable, last: sql.Composable) -> sql.Composed:
        """The rows, resolved: place, number, both primary keys, the old values, and what is new."""
        work, table = self.work, self.work.table
        old = sql.SQL(", ").join(
            sql.SQL("t.{} AS {}").format(sql.Identifier(name), sql.Identifier(alias))
            for name, alias in zip(table.names, self._old, strict=True)
        )
        new = [
            sql.SQL("{}.{} AS {}").format(table.relation, sql.Identifier(name), sql.Identifier(alias))
            for name, alias in self._new.items()
        ]
        returning = sql.SQL("{row}, {new}, ({live}) IS TRUE AS {is_live}, {relation}.ctid AS {at}").format(
            row=self.of_row((self.images.meta[1], work.number, *work.excess, *work.survivor, *self._old)),
            new=sql.SQL(", ").join(new),
            live=live_key(work.key),
            is_live=sql.Identifier(self._live),
            relation=table.relation,
            at=sql.Identifier(self._at),
        )
        return self.update(self.locked_rows(after, last, old), returning)

    def _first_row(self) -> sql.Composable:
        """The new row: the old one, but for the columns that were set."""
        pairs = zip(self.work.table.names, self._old, strict=True)
        return names([self._new.get(name, old) for name, old in pairs], "r")

    @property
    def _old(self) -> tuple[str, ...]:
        return tuple(self.work.table.free(f"vaccine_o{place}") for place, _ in enumerate(self.work.table.names))

    @property
    def _new(self) -> dict[str, str]:
        return {name: self.work.table.free(f"vaccine_v{place}") for place, name in enumerate(self.shared)}

    @property
    def _live(self) -> str:
        return self.work.table.free("vaccine_live")

    @property
    def _at(self) -> str:
        return self.work.table.free("vaccine_at")


def shared_columns(table: TargetTable, assign: Mapping[str, Value], shape: UpdateEffects) -> tuple[str, ...]:
    """The columns that a batch sets to one value in all its rows, where nothing else can change in them; else none.

    The new images then follow from the old ones and the first row's new one. So it is with literals, as long as no
    trigger, rule, foreign key or generated column has a say.
    """
    if shape.meddles or any(column.generated for column in table.columns):
        return ()
    return () if any(isinstance(to, Mapping) for to in assign.values()) else tuple(assign)


def images_per_row(connection: psycopg.Connection, table: TargetTable, assign: Mapping[str, Value]) -> int:
    """How many images a resolved row takes."""
    return 1 if shared_columns(table, assign, read_shape(connection, table)) else 2
