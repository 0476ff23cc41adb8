"""What makes a restore impossible, said before any row changes."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from .errors import RestoreError
from .journal import has_journal
from .key import Key
from .run import Run
from .table import Table

IMAGE_TABLES = """
SELECT DISTINCT images
  FROM vaccine.journal
 WHERE plan = %s AND schema_name = %s AND table_name = %s AND key_columns = %s
   AND predicate IS NOT DISTINCT FROM %s AND outcome IN ('resolved', 'restoring')
 ORDER BY images
"""

PRUNED = """
SELECT count(*), coalesce(sum(row_count - restored_count), 0)
  FROM vaccine.journal
 WHERE plan = %s AND schema_name = %s AND table_name = %s AND key_columns = %s
   AND predicate IS NOT DISTINCT FROM %s AND outcome = 'pruned'
"""

LOST = """
SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
       (SELECT pg_catalog.format_type(t.atttypid, t.atttypmod)
          FROM pg_catalog.pg_attribute t
         WHERE t.attrelid = %(table)s AND t.attname = a.attname AND t.attnum > 0 AND NOT t.attisdropped)
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = pg_catalog.to_regclass('vaccine.' || %(images)s) AND a.attnum > 3 AND NOT a.attisdropped
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute t
                    WHERE t.attrelid = %(table)s AND t.attnum > 0 AND NOT t.attisdropped AND t.attname = a.attname
                      AND (t.atttypid, t.atttypmod, t.attcollation) = (a.atttypid, a.atttypmod, a.attcollation))
 ORDER BY a.attnum
"""

# SET NULL and SET DEFAULT never come back; a table that cascades to itself changes rows that have images of their own.
CARRIED_ON = """
SELECT f.conname::text, f.conrelid::pg_catalog.regclass::text,
       CASE f.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END,
       (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attname) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = f.confrelid AND a.attnum = ANY (f.confkey) AND a.attname = ANY (%(columns)s))
  FROM pg_catalog.pg_constraint f
 WHERE f.confrelid = %(table)s AND f.contype = 'f' AND f.conparentid = 0
   AND (f.confupdtype IN ('n', 'd') OR f.confupdtype = 'c' AND f.conrelid = f.confrelid)
   AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = f.confrelid AND a.attnum = ANY (f.confkey) AND a.attname = ANY (%(columns)s))
 ORDER BY 2, 1
"""


def carried_on(connection: psycopg.Connection, table: Table, columns: Sequence[str]) -> list[str]:
    """The reasons why an UPDATE of these columns would change rows that no journal keeps; none in most tables."""
    found = connection.execute(CARRIED_ON, {"table": table.oid, "columns": list(columns)}).fetchall()
    return [
        f"the foreign key {name} of {source} (ON UPDATE {action}) refers to {referred}: resolving a row would change "
        "rows there, of which the journal keeps nothing: assign another column, or make it ON UPDATE NO ACTION first"
        for name, source, action, referred in found
    ]


def refuse_pruned(run: Run, key: Key, plan: str) -> None:
    """Refuse when images that a restore needs were pruned.

    Raises:
        RestoreError: it is so; no row was changed.
    """
    if not has_journal(run.worker):
        return
    where = (plan, key.schema, key.table, list(key.columns), key.where)
    pruned = run.worker.execute(PRUNED, where).fetchone()
    if pruned and pruned[0]:
        raise RestoreError(
            f"{pruned[1]} rows of {key} cannot be restored: their images were pruned; no row was changed",
            why=f"`vaccine journal prune` removed {pruned[0]} batches of plan {plan} before they were restored",
            fix="to go back without these rows, take op.restore_duplicates out of the revision's downgrade()",
        )


def refuse_lost_columns(run: Run, key: Key, plan: str, table: Table) -> None:
    """Refuse when a column that the journal holds is gone or has another type.

    Raises:
        RestoreError: it is so; no row was changed.
    """
    if not has_journal(run.worker):
        return
    where = (plan, key.schema, key.table, list(key.columns), key.where)
    for (images,) in run.worker.execute(IMAGE_TABLES, where).fetchall():
        lost = run.worker.execute(LOST, {"table": table.oid, "images": images}).fetchall()
        if not lost:
            continue
        told = ", ".join(
            f"{name} was {was}, now {now}" if now and now != was else f"{name} ({was}) is gone"
            for name, was, now in lost
        )
        raise RestoreError(
            f"{table.schema}.{table.name} has changed since, so that old rows do not fit; no row was changed",
            why=f"columns that the journal holds: {told}",
            fix=f"give the table those columns again (a renamed one: rename it back), or take what you need from "
            f"vaccine.{images} by hand",
        )
