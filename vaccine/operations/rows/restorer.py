"""What is left to restore of each batch of the journal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from ..key import Key
from ..session.run import Run
from ..table import TargetTable
from .evidence import BatchEvidence, UndoEvidence, evidence, known_values, records
from .journal import Images, open_images
from .restore_rows import Memory, Piece, RestoreRows, differing
from .shape import UpdateEffects

if TYPE_CHECKING:
    from .restored import Restored

BATCHES = """
SELECT j.batch, j.images, j.shared_columns, j.row_count, j.restore_cursor, j.skipped_rows, i.primary_key
  FROM vaccine.journal j
  JOIN vaccine.image_tables i USING (images)
 WHERE j.plan = %s AND j.schema_name = %s AND j.table_name = %s AND j.key_columns = %s
   AND j.predicate IS NOT DISTINCT FROM %s AND j.outcome IN ('resolved', 'restoring') AND j.batch < %s
   AND pg_catalog.to_regclass('vaccine.' || j.images) IS NOT NULL
 ORDER BY j.batch DESC
 LIMIT 500
"""

# Rows whose images are gone are done with: the others of the batch are chosen, in place of those behind the cursor.
LOSE = """
UPDATE vaccine.journal j
   SET lost_rows = j.lost_rows || lost.places, restore_cursor = j.row_count,
       skipped_rows = ARRAY(SELECT p FROM pg_catalog.unnest(lost.pending) AS u (p) WHERE p <> ALL (lost.places)),
       outcome = CASE WHEN cardinality(lost.places) = cardinality(lost.pending) THEN 'pruned' ELSE 'restoring' END,
       restored_at = pg_catalog.clock_timestamp()
  FROM (SELECT r.pending, ARRAY(SELECT p FROM pg_catalog.unnest(r.pending) AS u (p)
                                 WHERE p <> ALL (%(held)s::integer[])) AS places
          FROM (SELECT ARRAY(SELECT g.p FROM pg_catalog.generate_series(1, o.row_count) AS g (p)
                              WHERE g.p > o.restore_cursor OR g.p = ANY (o.skipped_rows)) AS pending
                  FROM vaccine.journal o WHERE o.batch = %(batch)s) AS r) AS lost
 WHERE j.batch = %(batch)s
"""

# Of each row a type that holds every value of the old one without a loss: an ALTER TABLE to it changes no row's value.
WIDER = """(a.atttypid, t.atttypid) IN (
    ('int2'::regtype, 'int4'::regtype), ('int2'::regtype, 'int8'::regtype), ('int4'::regtype, 'int8'::regtype),
    ('int2'::regtype, 'numeric'::regtype), ('int4'::regtype, 'numeric'::regtype), ('int8'::regtype, 'numeric'::regtype),
    ('float4'::regtype, 'float8'::regtype), ('varchar'::regtype, 'text'::regtype))"""

COLUMNS = f"""
SELECT a.attname::text, (a.atttypid, a.atttypmod) IS DISTINCT FROM (t.atttypid, t.atttypmod)
       AND (a.atttypid = t.atttypid OR {WIDER})
  FROM pg_catalog.pg_attribute a
  LEFT JOIN pg_catalog.pg_attribute t ON t.attrelid = %s AND t.attname = a.attname AND t.attnum > 0
       AND NOT t.attisdropped
 WHERE a.attrelid = pg_catalog.to_regclass('vaccine.' || %s) AND a.attnum > 3 AND NOT a.attisdropped
"""  # noqa: S608  of texts of our own


@dataclass
class Restorer:
    """What is left to restore of one batch of the journal: the places behind `cursor`, and those that were skipped.

    `assigned` are the columns that must come back; `known` their new values where the image of these is gone. `stuck`
    are the places that this run could not restore, each with the reason.
    """

    run: Run
    images: Images
    key: Key
    batch: int
    shared: tuple[str, ...]
    row_count: int
    cursor: int
    skipped: list[int]
    assigned: tuple[str, ...] = ()
    known: Mapping[str, sql.Composable] = field(default_factory=dict)
    stuck: dict[int, str] = field(default_factory=dict)

    @property
    def ahead(self) -> int:
        """How many rows were not come to yet."""
        return self.row_count - self.cursor

    @property
    def waiting(self) -> list[int]:
        """The places that were skipped, and that this run has not given up."""
        return [place for place in self.skipped if place not in self.stuck]

    @property
    def pending(self) -> list[int]:
        """All places that are yet to restore."""
        return sorted({*range(self.cursor + 1, self.row_count + 1), *self.skipped})

    def alike(self, other: Restorer) -> bool:
        """Whether the same statement does for both: same images, same columns set, to values known in the same way."""
        mine = (self.shared, self.known, self.assigned)
        return self.images is other.images and mine == (other.shared, other.known, other.assigned)

    def looked_at(self, shape: UpdateEffects, *, late: bool, memory: Memory | None = None) -> RestoreRows:
        """The way for rows that are compared afterwards."""
        where = self.run, self.images, self.batch, self.shared, self.known, self.assigned
        return RestoreRows(*where, shape, late, memory or Memory())

    def as_left(self) -> list[int]:
        """The places, of those that are yet to restore, whose rows are as they were left; changes nothing."""
        nothing = UpdateEffects(fires=False, late=False, cascades=False, rules=False)
        return self.looked_at(nothing, late=False).as_left(self.pending)

    def passed(self, places: Sequence[int], piece: Piece) -> Piece:
        """The piece, with rows that cannot go back and lie before its end: the journal must not lose them."""
        given_up = [place for place in self.stuck if place <= places[-1]]
        return replace(piece, skipped=sorted({*piece.skipped, *given_up}))

    def take(self, places: Sequence[int], piece: Piece, done: Restored) -> None:
        """Keep in mind what became of these places, once that is committed."""
        self.cursor = max(self.cursor, places[-1])
        self.skipped = sorted((set(self.skipped) - set(places)) | set(piece.skipped))
        done.take(piece)

    def give_up(self, last: int) -> None:
        """Keep in mind that the rows up to here that are stuck stay in the journal, once that is committed."""
        self.cursor = max(self.cursor, last)
        self.skipped = sorted({*self.skipped, *(place for place in self.stuck if place <= last)})


def evidence_of(run: Run, key: Key, plan: str) -> UndoEvidence:
    """What is there of the rows of a run's revision: by its own record, or else by another one of the plan."""
    kept = records(run.worker, run.revision, key, plan)
    of_plan = [each for each in kept if each.plan == plan]
    mine = [each for each in of_plan if (each.version_table, each.revision) == (run.version_table, run.revision)]
    found = mine or of_plan
    return evidence(run.worker, key, plan, found[-1] if found else None)


def restorers(
    run: Run, key: Key, plan: str, table: TargetTable, found: UndoEvidence | None = None
) -> Iterator[Restorer]:
    """One for each batch that is yet to restore, newest first."""
    there = found or evidence_of(run, key, plan)
    number = 2**63 - 1
    asked = (plan, key.schema, key.table, list(key.columns), key.where)
    opened: dict[str, Images] = {}
    known = {each.batch: each for each in there.batches}
    if not known:
        return
    while rows := run.worker.execute(BATCHES, (*asked, number)).fetchall():
        for number, name, shared, count, cursor, skipped, primary_key in rows:
            if name not in opened:
                shape = journalled(run.worker, table, name, tuple(primary_key))
                opened[name] = replace(open_images(run.worker, name, shape), widened=widened(run.worker, table, name))
            images = opened[name]
            of = known.get(number)
            values = known_values(of, images.meta, there.record, table) if of else {}
            one = Restorer(run, images, key, number, tuple(shared), count, cursor, list(skipped), known=values)
            one.assigned = assigned_of(one, there)
            yield one


def assigned_of(restorer: Restorer, evidence: UndoEvidence) -> tuple[str, ...]:
    """The columns that the batch assigned: what it says itself, or the record; else those that ended the predicate."""
    if restorer.shared:
        return restorer.shared
    settable = set(restorer.images.table.settable)
    if evidence.record and evidence.record.assign:
        return tuple(name for name in evidence.record.assign if name in settable)
    differ = differing(restorer.run.worker, restorer.images, restorer.batch, sql.SQL("> 0"))
    named = [name for name in differ if re.search(rf"\b{re.escape(name)}\b", restorer.key.where or "")]
    return tuple(named or differ)


def lose(run: Run, evidence: UndoEvidence) -> None:
    """Say in the journal which rows are lost with their images, so that all others of their batches go on."""
    for each in evidence.batches:
        if each.lost:
            run.worker.execute(LOSE, {"batch": each.batch, "held": held_places(run.worker, each)})


def held_places(connection: psycopg.Connection, each: BatchEvidence) -> list[int]:
    """The places of a batch whose images are there."""
    if not each.held or each.pruned or each.lost == each.left:
        return []
    meta = [
        sql.Identifier(row[0])
        for row in connection.execute(
            "SELECT attname::text FROM pg_catalog.pg_attribute"
            " WHERE attrelid = pg_catalog.to_regclass('vaccine.' || %s) AND attnum BETWEEN 1 AND 3 ORDER BY attnum",
            (each.images,),
        )
    ]
    number, place, image = meta
    both = sql.SQL(
        "SELECT b.{place} FROM {images} AS b WHERE b.{number} = {batch} AND b.{image} = 'before'"
    ).format(number=number, place=place, image=image, images=sql.Identifier("vaccine", each.images),
             batch=sql.Literal(each.batch))  # fmt: skip
    if not each.shared:
        both += sql.SQL(
            " AND EXISTS (SELECT FROM {images} AS a WHERE a.{number} = b.{number} AND a.{place} = b.{place}"
            " AND a.{image} = 'after')"
        ).format(number=number, place=place, image=image, images=sql.Identifier("vaccine", each.images))
    return [row[0] for row in connection.execute(both).fetchall()]


def journalled(
    connection: psycopg.Connection, table: TargetTable, images: str, primary_key: tuple[str, ...]
) -> TargetTable:
    """The table with only those columns that an image table holds, and the primary key that it had then."""
    held = {row[0] for row in connection.execute(COLUMNS, (table.oid, images)).fetchall()}
    columns = tuple(column for column in table.columns if column.name in held)
    return replace(table, columns=columns, primary_key=primary_key)


def widened(connection: psycopg.Connection, table: TargetTable, images: str) -> frozenset[str]:
    """The columns that have another type or length now, which holds every old value."""
    return frozenset(row[0] for row in connection.execute(COLUMNS, (table.oid, images)).fetchall() if row[1])
