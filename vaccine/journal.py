"""What the journal holds, read for people: batches, the rows of one, and the removal of images no longer needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from vaccine.catalog.values import as_text
from vaccine.connect import pin
from vaccine.errors import RefusedError, UsageError
from vaccine.operations.dry import NewImages

UPGRADES = """
SELECT version_table, revision, plan, schema_name AS schema, table_name AS table, key_columns AS columns, predicate,
       index_name AS index, resolved_rows, started_at, ended_at, undone_at
  FROM vaccine.vaccination
 ORDER BY started_at, revision, plan
"""

# Who made the schema may be a stranger: a view runs what he wrote, a type's cast too, and a trigger when rows go.
PRESENT = """
SELECT c.relname::text,
       c.relkind = 'r' AND NOT c.relhasrules AND NOT c.relrowsecurity
       AND (c.relname LIKE 'images\\_%' OR NOT EXISTS (
                SELECT FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS plain,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'vaccine'
   AND (c.relname IN ('journal', 'image_tables', 'vaccination') OR c.relname LIKE 'images\\_%')
   AND c.relkind NOT IN ('i', 'I', 'S', 'c')
"""

BATCHES = """
SELECT batch, revision, plan, schema_name AS schema, table_name AS table, key_columns AS columns, predicate,
       row_count AS rows, restored_count AS restored_rows, pg_catalog.cardinality(kept_rows) AS kept_rows,
       stamped_columns, outcome, started_at, resolved_at, restored_at
  FROM vaccine.journal
 ORDER BY batch
"""

BATCH = """
SELECT j.images, i.images IS NOT NULL,
       ARRAY(SELECT pg_catalog.jsonb_array_elements_text(pg_catalog.to_jsonb(j) -> 'shared_columns'))
  FROM vaccine.journal j LEFT JOIN vaccine.image_tables i USING (images)
 WHERE j.batch = %s
"""

COLUMNS = """
SELECT attnum, attname::text
  FROM pg_catalog.pg_attribute
 WHERE attrelid = pg_catalog.to_regclass('vaccine.' || %s) AND attnum > 0 AND NOT attisdropped
 ORDER BY attnum
"""

PRUNABLE = """
SELECT j.batch, j.images, j.outcome
  FROM vaccine.journal j
  JOIN vaccine.image_tables i USING (images)
 WHERE (%(plan)s::text IS NULL AND j.outcome = 'restored' AND j.kept_rows = '{}' AND j.stamped_columns = '{}'
        OR j.plan = %(plan)s)
   AND j.outcome <> 'pruned' AND j.resolved_at < pg_catalog.now() - pg_catalog.make_interval(days => %(days)s)
 ORDER BY j.batch
"""


@dataclass(frozen=True)
class JournalledBatch:
    """One transaction of a run, as `vaccine.journal` has it. Times are those of the server, with their zone."""

    batch: int
    revision: str
    plan: str
    schema: str
    table: str
    columns: list[str]
    predicate: str | None
    rows: int
    restored_rows: int
    kept_rows: int
    stamped_columns: list[str]
    outcome: str
    started_at: datetime
    resolved_at: datetime
    restored_at: datetime | None


@dataclass(frozen=True)
class RecordedUpgrade:
    """One upgrade, as `vaccine.vaccination` has it.

    `ended_at` is null until its index stood, `undone_at` before the downgrade. `resolved_rows` are those since
    `started_at`, late duplicates included.
    """

    version_table: str
    revision: str
    plan: str
    schema: str
    table: str
    columns: list[str]
    predicate: str | None
    index: str | None
    resolved_rows: int
    started_at: datetime
    ended_at: datetime | None
    undone_at: datetime | None

    @property
    def state(self) -> str:
        """In one word."""
        return "downgraded" if self.undone_at else "upgraded" if self.ended_at else "begun"


@dataclass(frozen=True)
class Change:
    """One column of one row that Vaccine changed; values as PostgreSQL prints them."""

    primary_key: list[str]
    survivor: list[str]
    outcome: str
    column: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Prunable:
    """What a prune would remove: batches, and how many of these would lose their undo."""

    batches: list[int]
    images: list[str]
    losing_undo: int


def batches(connection: psycopg.Connection) -> Iterator[JournalledBatch]:
    """All batches, oldest first; none where there is no journal."""
    if not _present(connection):
        return
    with connection.cursor(row_factory=class_row(JournalledBatch)) as cursor:
        yield from cursor.execute(BATCHES)


def upgrades(connection: psycopg.Connection) -> list[RecordedUpgrade]:
    """All upgrades, oldest first, also those that resolved no row; none where there is no record."""
    if not _present(connection, "vaccination"):
        return []
    with connection.cursor(row_factory=class_row(RecordedUpgrade)) as cursor:
        return cursor.execute(UPGRADES).fetchall()


def changes(connection: psycopg.Connection, batch: int, limit: int) -> Iterator[Change]:
    """What changed in the first `limit` rows of a batch, column by column.

    Raises:
        UsageError: there is no such batch.
        RefusedError: its images were pruned.
    """
    found = connection.execute(BATCH, (batch,)).fetchone() if _present(connection) else None
    if found is None:
        raise UsageError(f"the journal has no batch {batch}", fix="`vaccine journal` lists them")
    images, held, shared = found
    if not held:
        raise RefusedError(f"the images of batch {batch} were pruned", why="the journal keeps only its counts and keys")
    names = [name for _, name in connection.execute(COLUMNS, (images,)).fetchall()]
    with connection.cursor(row_factory=class_row(Change)) as cursor:
        yield from cursor.execute(_changes(images, names, shared, batch, limit))


def prunable(connection: psycopg.Connection, plan: str | None, days: int) -> Prunable:
    """The batches older than `days` whose images may go: of one plan; or, without one, all that are fully restored."""
    if not _present(connection):
        return Prunable([], [], 0)
    rows = connection.execute(PRUNABLE, {"plan": plan, "days": days}).fetchall()
    losing = sum(outcome != "restored" for _, _, outcome in rows)
    return Prunable([row[0] for row in rows], sorted({row[1] for row in rows}), losing)


def prune(connection: psycopg.Connection, chosen: Prunable) -> None:
    """Remove the images of these batches; image tables that are empty then are dropped. One transaction."""
    with connection.transaction():
        pin(connection, statement_timeout_ms=0)
        connection.execute(
            "UPDATE vaccine.journal SET outcome = 'pruned' WHERE batch = ANY (%s) AND outcome <> 'restored'",
            (chosen.batches,),
        )
        for images in chosen.images:
            _prune_images(connection, images, chosen.batches)


def _present(connection: psycopg.Connection, table: str = "journal") -> bool:
    """Whether there is a journal, or another table of the schema.

    Raises:
        RefusedError: something else has its name.
    """
    found = connection.execute(PRESENT).fetchall()
    for name, plain, owner in found:
        if not plain:
            raise RefusedError(
                f"vaccine.{name} is not the table that Vaccine made; it was not read",
                why=f"it belongs to {owner}, and it is no plain table: reading it may run what {owner} wrote",
                fix="see who made it (psql: \\d+ vaccine.*), and drop the schema vaccine if it is not yours",
            )
    return any(name == table for name, _, _ in found)


def _prune_images(connection: psycopg.Connection, images: str, batches: list[int]) -> None:
    names = [name for _, name in connection.execute(COLUMNS, (images,)).fetchall()]
    relation = sql.Identifier("vaccine", images)
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE {} = ANY ({}::bigint[])").format(
            relation, sql.Identifier(names[0]), sql.Literal(batches)
        )
    )
    left = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(relation)).fetchone()
    if left and not left[0]:
        connection.execute(sql.SQL("DROP TABLE {}").format(relation))
        connection.execute("DELETE FROM vaccine.image_tables WHERE images = %s", (images,))


def _changes(images: str, names: list[str], shared: list[str], batch: int, limit: int) -> sql.Composed:
    meta, columns = names[:3], names[3:]
    number, place, image = map(sql.Identifier, meta)
    relation = sql.Identifier("vaccine", images)
    values: list[Any] = [
        sql.SQL("({name}, {before}, {after}, NOT pg_catalog.record_image_eq(ROW(b.{c}), ROW(a.{c})))").format(
            name=sql.Literal(column),
            before=as_text(sql.Identifier("b", column)),
            after=as_text(sql.Identifier("a", column)),
            c=sql.Identifier(column),
        )
        for column in columns
    ]
    return sql.SQL(
        "SELECT ARRAY(SELECT pg_catalog.jsonb_array_elements_text(j.primary_keys -> (b.{place} - 1))) AS primary_key,"
        " ARRAY(SELECT pg_catalog.jsonb_array_elements_text(j.survivors -> (b.{place} - 1))) AS survivor,"
        " CASE WHEN b.{place} = ANY (j.kept_rows) THEN 'kept its newer values'"
        " WHEN b.{place} = ANY (j.skipped_rows) THEN 'resolved'"
        " WHEN b.{place} <= j.restore_cursor THEN 'restored' ELSE 'resolved' END AS outcome,"
        ' v.name AS "column", v.before, v.after'
        " FROM vaccine.journal j JOIN {images} AS b ON b.{number} = j.batch AND b.{image} = 'before'"
        " JOIN {new} AS a ON a.{number} = j.batch AND a.{place} = b.{place} AND a.{image} = 'after'"
        " CROSS JOIN LATERAL (VALUES {values}) AS v (name, before, after, differs)"
        " WHERE j.batch = {batch} AND v.differs AND b.{place} <= {limit} ORDER BY b.{place}, v.name"
    ).format(
        place=place,
        number=number,
        image=image,
        images=relation,
        new=NewImages(relation, meta, columns, shared, sql.Literal(batch)).source,
        values=sql.SQL(", ").join(values),
        batch=sql.Literal(batch),
        limit=sql.Literal(limit),
    )
