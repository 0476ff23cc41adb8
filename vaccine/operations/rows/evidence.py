"""Whether what a downgrade needs is there: the record of the upgrade, the journal's batches, an image for each row.

The three are compared, since each tells what the others must hold. Where the one new image that the rows of a batch
share is lost, what was assigned is known from another batch or from the record, and no row is lost with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from ..key import Key, raw
from ..table import TargetTable
from .journal import has_journal
from .record import key_digest

THERE = """
SELECT pg_catalog.to_regclass('vaccine.journal') IS NOT NULL
       AND pg_catalog.to_regclass('vaccine.image_tables') IS NOT NULL,
       pg_catalog.to_regclass('vaccine.vaccination') IS NOT NULL
"""

RECORDS = """
SELECT version_table, revision, plan, index_name, index_oid::bigint, coalesce(assign, '{}'), after_batch, resolved_rows,
       undone_at IS NOT NULL
  FROM vaccine.vaccination
 WHERE key_digest = %s AND (revision = %s OR plan = %s)
 ORDER BY started_at
"""

JOURNALLED = """
SELECT coalesce(pg_catalog.sum(row_count), 0)::bigint
  FROM vaccine.journal
 WHERE plan = %s AND schema_name = %s AND table_name = %s AND key_columns = %s
   AND predicate IS NOT DISTINCT FROM %s AND batch > %s
"""

PLANS = """
SELECT DISTINCT plan
  FROM vaccine.journal
 WHERE schema_name = %s AND table_name = %s AND key_columns = %s AND predicate IS NOT DISTINCT FROM %s
   AND revision = %s AND outcome <> 'restored'
 ORDER BY plan
"""

BATCHES = """
SELECT j.batch, j.images, j.shared_columns, j.outcome = 'pruned',
       j.row_count - j.restore_cursor + cardinality(j.skipped_rows),
       i.images IS NOT NULL AND pg_catalog.to_regclass('vaccine.' || j.images) IS NOT NULL
  FROM vaccine.journal AS j LEFT JOIN vaccine.image_tables AS i USING (images)
 WHERE j.plan = %s AND j.schema_name = %s AND j.table_name = %s AND j.key_columns = %s
   AND j.predicate IS NOT DISTINCT FROM %s AND j.outcome <> 'restored'
 ORDER BY j.batch
"""

META = """
SELECT attname::text FROM pg_catalog.pg_attribute
 WHERE attrelid = pg_catalog.to_regclass('vaccine.' || %s) AND attnum BETWEEN 1 AND 3 ORDER BY attnum
"""

# The images of rows that are yet to restore; of a batch that shares one new image, whether that is there.
IMAGES = """
SELECT j.batch, count(b.{place}) FILTER (WHERE pg_catalog.cardinality(j.shared_columns) > 0 OR a.{place} IS NOT NULL),
       EXISTS (SELECT FROM {images} AS o WHERE o.{number} = j.batch AND o.{place} = 1 AND o.{image} = 'after')
  FROM vaccine.journal AS j
  LEFT JOIN {images} AS b ON b.{number} = j.batch AND b.{image} = 'before'
       AND b.{place} <= j.row_count AND (b.{place} > j.restore_cursor OR b.{place} = ANY (j.skipped_rows))
  LEFT JOIN {images} AS a ON a.{number} = b.{number} AND a.{place} = b.{place} AND a.{image} = 'after'
       AND pg_catalog.cardinality(j.shared_columns) = 0
 WHERE j.batch = ANY ({batches}::bigint[])
 GROUP BY j.batch
"""


@dataclass(frozen=True)
class KeptRecord:
    """What `vaccine.vaccination` says of an upgrade."""

    version_table: str
    revision: str
    plan: str
    index: str | None
    index_oid: int | None
    assign: Mapping[str, Any]
    after_batch: int
    resolved: int
    undone: bool


@dataclass
class BatchEvidence:
    """One batch that is not restored in full: how many rows it has left, and of how many of these the images are gone.

    `source` is where the shared new values are known from, when the batch's own image of them is gone: a batch.
    """

    batch: int
    images: str
    shared: tuple[str, ...]
    pruned: bool
    left: int
    held: bool
    lost: int = 0
    first_lost: bool = False
    source: int | None = None


@dataclass
class UndoEvidence:
    """All that is known of one plan's rows before a downgrade. `record` is None where there is none of the revision."""

    key: Key
    plan: str
    record: KeptRecord | None
    unjournalled: int = 0
    batches: list[BatchEvidence] = field(default_factory=list)

    @property
    def left(self) -> int:
        """The rows that the journal has yet to restore."""
        return sum(each.left for each in self.batches)

    @property
    def lost(self) -> int:
        """The rows that cannot be restored, since the journal or their images are gone."""
        return self.unjournalled + sum(each.lost for each in self.batches)

    def lines(self) -> list[str]:
        """What is lost, in words."""
        told = []
        if self.unjournalled:
            of = self.record.resolved if self.record else self.unjournalled
            told.append(
                f"the upgrade resolved {of} rows, and vaccine.journal does not know {self.unjournalled} of them any "
                "more: rows of it were deleted"
            )
        for why, some in (
            ("pruned (`vaccine journal prune`)", [each for each in self.batches if each.pruned and each.lost]),
            ("gone", [each for each in self.batches if not each.pruned and each.lost]),
        ):
            if some:
                shown = ", ".join(f"batch {each.batch}: {each.lost} of {each.left}" for each in some[:20])
                more = ", …" if len(some) > 20 else ""
                tables = ", ".join(sorted({f"vaccine.{each.images}" for each in some}))
                total = sum(each.lost for each in some)
                told.append(f"the images of {total} rows in {tables} are {why} ({shown}{more})")
        return told


def records(connection: psycopg.Connection, revision: str, key: Key, plan: str = "") -> list[KeptRecord]:
    """The records of a key that are a revision's or a plan's, whatever version table they belong to."""
    row = connection.execute(THERE).fetchone()
    if row is None or not row[1]:
        return []
    rows = connection.execute(RECORDS, (key_digest(key), revision, plan)).fetchall()
    return [KeptRecord(*each) for each in rows]


def plans_of(connection: psycopg.Connection, revision: str, key: Key, kept: Sequence[KeptRecord]) -> list[str]:
    """The plans under which a revision's rows are journalled or recorded, and not restored in full."""
    found = {each.plan for each in kept if not each.undone}
    if _journal_is_there(connection):
        asked = (key.schema, key.table, list(key.columns), key.where, revision)
        found |= {row[0] for row in connection.execute(PLANS, asked).fetchall()}
    return sorted(found)


def evidence(connection: psycopg.Connection, key: Key, plan: str, record: KeptRecord | None) -> UndoEvidence:
    """What is there of a plan's rows. Reads only."""
    found = UndoEvidence(key, plan, record)
    asked = (plan, key.schema, key.table, list(key.columns), key.where)
    there = _journal_is_there(connection)
    if record is not None and not record.undone:
        journalled = connection.execute(JOURNALLED, (*asked, record.after_batch)).fetchone() if there else (0,)
        assert journalled is not None
        found.unjournalled = max(0, record.resolved - journalled[0])
    if not there:
        return found
    found.batches = [
        BatchEvidence(number, images, tuple(shared), pruned, left, held)
        for number, images, shared, pruned, left, held in connection.execute(BATCHES, asked).fetchall()
    ]
    for each in found.batches:
        each.lost = each.left
    counted = [each for each in found.batches if each.held and not each.pruned]
    for images in sorted({each.images for each in counted}):
        _count_images(connection, images, [each for each in counted if each.images == images])
    _spare(found)
    return found


def known_values(
    each: BatchEvidence, meta: Sequence[str], record: KeptRecord | None, table: TargetTable
) -> Mapping[str, sql.Composable]:
    """The shared new values of a batch whose own image of them is gone; empty where it is there."""
    if not each.first_lost:
        return {}
    number, place, image = map(sql.Identifier, meta)
    if each.source is not None:
        return {
            name: sql.SQL(
                "(SELECT o.{name} FROM {images} AS o WHERE o.{number} = {batch} AND o.{place} = 1"
                " AND o.{image} = 'after')"
            ).format(
                name=sql.Identifier(name), images=sql.Identifier("vaccine", each.images), number=number,
                batch=sql.Literal(each.source), place=place, image=image,
            )
            for name in each.shared
        }  # fmt: skip
    assign = record.assign if record else {}
    known = {}
    for name in each.shared:
        column = table.column(name)
        assert column is not None
        known[name] = sql.SQL("CAST({} AS {})").format(sql.Literal(assign[name]), raw(column.type_name))
    return known


def _journal_is_there(connection: psycopg.Connection) -> bool:
    row = connection.execute(THERE).fetchone()
    return bool(row and row[0] and has_journal(connection))


def _count_images(connection: psycopg.Connection, images: str, some: Sequence[BatchEvidence]) -> None:
    meta = [row[0] for row in connection.execute(META, (images,)).fetchall()]
    if len(meta) < 3:
        return
    number, place, image = map(sql.Identifier, meta)
    rows = connection.execute(
        sql.SQL(IMAGES).format(
            images=sql.Identifier("vaccine", images), number=number, place=place, image=image,
            batches=sql.Literal([each.batch for each in some]),
        )
    ).fetchall()  # fmt: skip
    counted = {batch: (there, first) for batch, there, first in rows}
    for each in some:
        there, first = counted[each.batch]
        each.lost = max(0, each.left - there)
        each.first_lost = bool(each.shared) and not first


def _spare(found: UndoEvidence) -> None:
    """Where the shared new image of a batch is gone: another that says the same, or the record; else all is lost."""
    assign = found.record.assign if found.record else {}
    for each in found.batches:
        if not each.first_lost:
            continue
        alike = (
            other.batch
            for other in found.batches
            if (other.images, other.shared) == (each.images, each.shared)
            and other.held
            and not other.first_lost
            and not other.pruned
        )
        each.source = next(alike, None)
        certain = all(name in assign and not isinstance(assign[name], Mapping) for name in each.shared)
        if each.source is None and not certain:
            each.lost = each.left
