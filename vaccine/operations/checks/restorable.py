"""What makes a restore impossible, said before any row changes."""

from __future__ import annotations

from ..errors import RestoreError
from ..key import Key
from ..rows.journal import has_journal
from ..rows.restorer import WIDER
from ..session.run import Run
from ..table import TargetTable
from . import carried

IMAGE_TABLES = """
SELECT DISTINCT images
  FROM vaccine.journal
 WHERE plan = %s AND schema_name = %s AND table_name = %s AND key_columns = %s
   AND predicate IS NOT DISTINCT FROM %s AND outcome IN ('resolved', 'restoring')
 ORDER BY images
"""

LOST = f"""
SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
       (SELECT pg_catalog.format_type(t.atttypid, t.atttypmod)
          FROM pg_catalog.pg_attribute t
         WHERE t.attrelid = %(table)s AND t.attname = a.attname AND t.attnum > 0 AND NOT t.attisdropped)
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = pg_catalog.to_regclass('vaccine.' || %(images)s) AND a.attnum > 3 AND NOT a.attisdropped
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute t
                    WHERE t.attrelid = %(table)s AND t.attnum > 0 AND NOT t.attisdropped AND t.attname = a.attname
                      AND (t.atttypid = a.atttypid OR {WIDER}))
 ORDER BY a.attnum
"""

# Rows are found again by the primary key that the table had then: no two rows may share that now.
KEYLESS = """
SELECT t.primary_key
  FROM vaccine.image_tables t
 WHERE t.images = %(images)s
   AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = %(table)s AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND NOT EXISTS (SELECT FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                           WHERE k.place <= i.indnkeyatts AND a.attname <> ALL (t.primary_key)))
"""

SHARED = """
SELECT DISTINCT c.name
  FROM vaccine.journal j CROSS JOIN LATERAL pg_catalog.unnest(j.shared_columns) AS c (name)
 WHERE j.plan = %s AND j.schema_name = %s AND j.table_name = %s AND j.key_columns = %s
   AND j.predicate IS NOT DISTINCT FROM %s AND j.outcome IN ('resolved', 'restoring')
 ORDER BY c.name
"""


def refuse_lost_columns(run: Run, key: Key, plan: str, table: TargetTable) -> None:
    """Refuse when a column that the journal holds is gone or has another type.

    Raises:
        RestoreError: it is so; no row was changed.
    """
    if not has_journal(run.worker):
        return
    where = (plan, key.schema, key.table, list(key.columns), key.where)
    for (images,) in run.worker.execute(IMAGE_TABLES, where).fetchall():
        _refuse_keyless(run, table, images)
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


def refuse_unsettable(run: Run, key: Key, plan: str, table: TargetTable) -> None:
    """Refuse when a column that was set cannot be set back, or when setting it back would change rows elsewhere.

    Raises:
        RestoreError: it is so; no row was changed.
    """
    if not has_journal(run.worker):
        return
    where = (plan, key.schema, key.table, list(key.columns), key.where)
    shared = [row[0] for row in run.worker.execute(SHARED, where).fetchall()]
    fixed = [name for name in shared if name not in table.settable]
    reasons = carried.reasons(run.worker, table, shared, "setting it back")
    if fixed:
        reasons.insert(0, f"{', '.join(fixed)} became GENERATED since, which no UPDATE may set: make it a plain column")
    if reasons:
        raise RestoreError(
            f"{table.schema}.{table.name} has changed since, so that old values cannot be put back; no row was changed",
            why="; ".join(reasons),
            fix="then run the same command again",
        )


def _refuse_keyless(run: Run, table: TargetTable, images: str) -> None:
    found = run.worker.execute(KEYLESS, {"table": table.oid, "images": images}).fetchone()
    if found:
        columns = ", ".join(found[0])
        raise RestoreError(
            f"{table.schema}.{table.name} has changed since, so that old rows cannot be found; no row was changed",
            why=f"the journal knows rows by ({columns}), and no valid unique index says that those are unique now",
            fix=f"CREATE UNIQUE INDEX CONCURRENTLY … ON {table.schema}.{table.name} ({columns}), then run the same "
            f"command again; or take what you need from vaccine.{images} by hand",
        )
