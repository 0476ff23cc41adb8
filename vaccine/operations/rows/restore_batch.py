"""One stretch of a batch restored in one statement, prepared once: for tables where nothing interferes with an UPDATE.

The statement locks the rows that are still as Vaccine left them, which record_image_eq tells byte for byte (manual,
section 9.25.6), skips those that another session holds, puts the old values back and writes the journal. It sets the
columns that the batch set; where that is not known, those in which its first rows differ, and a row that differs in
more, like all that it leaves, is for `restore_rows`, which looks at each column. Without triggers, rules and generated
columns the row is then the old image. Rows are looked for where the batch left them (`left_at`), as long as they are
there: nothing but a rewrite of the table moves a row that nobody updates (manual, section 5.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ..key import names, prepared_name, raw
from ..session.run import Run
from ..table import TargetTable, equal
from .journal import Images, NewImages
from .shape import UpdateEffects, row_lock

SAME, RESTORED = sql.Identifier("vaccine same"), sql.Identifier("vaccine restored")
LOOKED_AT = 100  # rows that tell which columns to set

STATEMENT = """WITH {same} AS MATERIALIZED (
SELECT b.{place}, t.ctid AS {ctid}, {found}
FROM {images} AS b {new}JOIN {source} AS t ON {joined}
WHERE b.{number} = {batch} AND b.{place} > {after} AND b.{place} <= {last} AND b.{image} = 'before'
AND {same_row}
ORDER BY b.{place} {lock} OF t SKIP LOCKED
), {restored} AS (
UPDATE {source} SET {sets}
FROM {same} AS {row}
WHERE {relation}.ctid = {row}.{ctid} AND {by_key}
RETURNING {row}.{place}
), "vaccine left" AS MATERIALIZED (
SELECT count(*) AS rows, CASE WHEN count(*) = {last} - {after} THEN '{{}}'::integer[]
ELSE ARRAY(SELECT n FROM pg_catalog.generate_series({after} + 1, {last}) AS g (n)
EXCEPT SELECT {place} FROM {restored} ORDER BY 1) END AS places
FROM {restored}
), "vaccine noted" AS (
UPDATE vaccine.journal AS j SET restored_count = j.restored_count + l.rows, restore_cursor = {last},
skipped_rows = j.skipped_rows || l.places, restored_at = pg_catalog.clock_timestamp(),
outcome = CASE WHEN {last} >= j.row_count AND pg_catalog.cardinality(j.skipped_rows || l.places) = 0
THEN 'restored' ELSE 'restoring' END
FROM "vaccine left" AS l WHERE j.batch = {batch}
)
SELECT l.rows, l.places FROM "vaccine left" AS l"""

# Taken out of line once, not for each row.
AT = "t.ctid = (SELECT j.left_at || '{{}}'::tid[] FROM vaccine.journal AS j WHERE j.batch = {batch})[b.{place}]"

NEW = """
JOIN {images} AS a ON a.{number} = b.{number} AND a.{place} = b.{place} AND a.{image} = 'after'
"""


@dataclass
class Prepared:
    """The prepared statement of a restore, as long as the image table and what batches set stay the same."""

    run: Run
    images: Images | None = None
    shared: tuple[str, ...] = ()
    shape: UpdateEffects | None = None
    columns: Sequence[str] = ()
    name: sql.Identifier | None = None
    at: bool = False
    moved: bool = False

    def serves(self, images: Images, batch: int, shared: tuple[str, ...], shape: UpdateEffects) -> bool:
        """Whether the batch can go this way; prepares the statement where it does not stand yet."""
        if self.images is not images or (self.shared, self.shape) != (shared, shape):
            self.forget()
            if not shape.meddles and not any(column.generated == "s" for column in images.table.columns):
                self._prepare(images, batch, shared)
            self.images, self.shared, self.shape = images, shared, shape
        return bool(self.columns)

    def forget(self) -> None:
        """Prepare the statement anew, next time: a try that got no lock may have prepared nothing."""
        self.images, self.shared, self.shape, self.columns = None, (), None, ()

    def look_by_key(self) -> None:
        """Find rows by their primary key from now on: most of a stretch did not lie where they were left."""
        if self.at:
            self.moved = True
            self.forget()

    def _prepare(self, images: Images, batch: int, shared: tuple[str, ...]) -> None:
        columns = shared or _differing(self.run.worker, images, batch)
        if not columns or not set(columns) <= set(images.table.settable):
            return
        self.columns, self.name = columns, prepared_name("vaccine_restore")
        lock = row_lock(self.run.worker, images.table, columns)
        arguments = [raw(f"${number}") for number in (1, 2, 3)]
        self.at = bool(shared) and not self.moved and _there_still(self.run.worker, images, batch)
        statement = restore_statement(images, columns, *arguments, shared=bool(shared), at=self.at, lock=lock)
        self.run.worker.execute(sql.SQL("PREPARE {} (bigint, integer, integer) AS ").format(self.name) + statement)

    def execute(self, batch: int, after: int, last: int) -> list[int]:
        """Restore the places `after` < n <= `last`; the places of those that it leaves."""
        arguments = map(sql.Literal, (batch, after, last))
        assert self.name is not None
        statement = sql.SQL("EXECUTE {} ({}, {}, {})").format(self.name, *arguments)
        row = self.run.worker.execute(statement).fetchone()
        assert row is not None
        return list(row[1])


def restore_statement(
    images: Images,
    columns: Sequence[str],
    batch: sql.Composable,
    after: sql.Composable,
    last: sql.Composable,
    *,
    shared: bool,
    at: bool,
    lock: sql.SQL,
) -> sql.Composed:
    """The statement; `columns` are those that it sets. It returns how many rows it restored, and the places left.

    `shared`: the batch set these columns to one value and no other, so that only its first row has a new image.
    `at`: rows are found where the batch left them, not by their primary key.
    """
    table = images.table
    row, others = table.alias("vaccine row"), [name for name in table.compared if name not in columns]
    old, keys = _renamed(table, columns, "vaccine_c"), _renamed(table, table.primary_key, "vaccine_p")
    found = [sql.SQL("b.{} AS {}").format(*pair) for pair in old] + [sql.SQL("t.{} AS {}").format(*p) for p in keys]
    sets = [sql.SQL("{} = {}.{}").format(name, row, alias) for name, alias in old]
    by_key = [sql.SQL("{}.{} = {}.{}").format(table.relation, name, row, alias) for name, alias in keys]
    number, place, image = map(sql.Identifier, images.meta)
    new: sql.Composable = sql.SQL("")
    same_row = _as_left(images, columns, batch)
    if not shared:
        new = sql.SQL(NEW).format(images=images.relation, number=number, place=place, image=image)
        same_row = image_equal("t", "a", table.compared)
        same_row += sql.SQL(" AND ") + image_equal("b", "a", others) if others else sql.SQL("")
    joined = equal("t", table.primary_key, "b", table.primary_key)
    if at:
        joined = sql.SQL("{} AND {}").format(sql.SQL(AT).format(batch=batch, place=place), joined)
    return sql.SQL(STATEMENT).format(
        number=number, place=place, image=image, images=images.relation, source=table.source, relation=table.relation,
        batch=batch, after=after, last=last, same=SAME, restored=RESTORED, row=row, lock=lock,
        ctid=sql.Identifier(table.free("vaccine_ctid")),
        found=sql.SQL(", ").join(found),
        new=new,
        joined=joined,
        same_row=same_row,
        sets=sql.SQL(", ").join(sets),
        by_key=sql.SQL(" AND ").join(by_key),
    )  # fmt: skip


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


def _as_left(images: Images, shared: Sequence[str], batch: sql.Composable) -> sql.Composed:
    """Whether the table's row `t` is the old image `b` with the shared new values."""
    compared = images.table.compared
    new = NewImages(images.relation, images.meta, compared, shared, batch)
    left = sql.SQL(", ").join([new.value(name) for name in compared])
    return sql.SQL("pg_catalog.record_image_eq(ROW({}), ROW({}))").format(names(compared, "t"), left)


def _renamed(table: TargetTable, columns: Sequence[str], prefix: str) -> list[tuple[sql.Identifier, sql.Identifier]]:
    """Columns, each with a name of ours that no column of the table has."""
    aliases = (table.free(f"{prefix}{number}") for number, _ in enumerate(columns))
    return [(sql.Identifier(name), sql.Identifier(alias)) for name, alias in zip(columns, aliases, strict=True)]


def image_equal(left: str, right: str, columns: Sequence[str]) -> sql.Composed:
    """Whether two rows agree in these columns byte for byte."""
    return sql.SQL("pg_catalog.record_image_eq(ROW({}), ROW({}))").format(names(columns, left), names(columns, right))


def _differing(connection: psycopg.Connection, images: Images, batch: int) -> list[str]:
    """The columns in which the two images of the batch's first rows differ."""
    columns = images.table.settable
    differs = [sql.SQL("coalesce(bool_or(NOT {}), FALSE)").format(image_equal("b", "a", [name])) for name in columns]
    number, place, image = map(sql.Identifier, images.meta)
    row = connection.execute(
        sql.SQL(
            "SELECT ARRAY[{differs}]::boolean[] FROM {images} AS b JOIN {images} AS a ON a.{number} = b.{number}"
            " AND a.{place} = b.{place} AND a.{image} = 'after'"
            " WHERE b.{number} = {batch} AND b.{image} = 'before' AND b.{place} <= {most}"
        ).format(
            differs=sql.SQL(", ").join(differs), images=images.relation, number=number, place=place, image=image,
            batch=sql.Literal(batch), most=sql.Literal(LOOKED_AT),
        )
    ).fetchone()  # fmt: skip
    assert row is not None
    return [name for name, flag in zip(columns, row[0], strict=True) if flag]
