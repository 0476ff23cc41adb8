"""Give the rows their old images back, from the journal, newest batch first.

A row is restored only when it is still as Vaccine left it, which record_image_eq tells byte for byte
(manual, section 9.25.6). A row that someone changed since keeps its newer values; it is listed and its
images stay in the journal. Triggers of the table fire as for any update; what they stamp over the old
image is put right with session_replication_role = replica where the role may, else named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import psycopg
from psycopg import sql

from .dedupe import batch_settings, with_row_retries
from .errors import RestoreError
from .journal import Images, has_journal, open_images
from .key import Key, names
from .pace import FIRST_ROWS, Pace, Throttle
from .recheck import numbers
from .run import Run
from .table import Table, equal

BATCHES = """
SELECT j.batch, j.images, j.row_count, j.restore_cursor, j.skipped_rows, i.primary_key
  FROM vaccine.journal j
  JOIN vaccine.image_tables i USING (images)
 WHERE j.plan = %s AND j.schema_name = %s AND j.table_name = %s AND j.key_columns = %s
   AND j.predicate IS NOT DISTINCT FROM %s AND j.outcome IN ('resolved', 'restoring') AND j.batch < %s
 ORDER BY j.batch DESC
 LIMIT 500
"""

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

KEPT = """
SELECT j.primary_keys -> (k.place - 1)
  FROM vaccine.journal j CROSS JOIN LATERAL unnest(j.kept_rows) AS k (place)
 WHERE j.batch = ANY (%s)
 ORDER BY j.batch, k.place
 LIMIT 20
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

# Silent triggers mean silent foreign keys too, and triggers that fire only on replicas: leave those tables alone.
NOT_SILENCEABLE = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) AS k (attnum)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
                WHERE c.contype = 'f' AND c.conrelid = %(table)s AND a.attname = ANY (%(columns)s))
    OR EXISTS (SELECT FROM pg_catalog.pg_constraint c CROSS JOIN LATERAL unnest(c.confkey) AS k (attnum)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum
                WHERE c.contype = 'f' AND c.confrelid = %(table)s AND a.attname = ANY (%(columns)s))
    OR EXISTS (SELECT FROM pg_catalog.pg_trigger t
                WHERE t.tgrelid = %(table)s AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R'))
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
    for restorer in restorers(run, key, plan, table):
        restorer.run_all(done)
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
    pace = Pace(run.options.batch_ms)
    while found := run.worker.execute(BATCHES, (*where, number)).fetchall():
        for number, name, rows, cursor, skipped, primary_key in found:
            if name not in opened:
                shape = journalled(run.worker, table, name, tuple(primary_key))
                opened[name] = open_images(run.worker, name, shape)
            yield Restorer(run, opened[name], key, number, rows, cursor, list(skipped), pace)


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


@dataclass
class Restorer:
    """Restores one batch of the journal."""

    run: Run
    images: Images
    key: Key
    batch: int
    row_count: int
    cursor: int
    skipped: list[int] = field(default_factory=list)
    pace: Pace = field(default_factory=lambda: Pace(FIRST_ROWS))

    def run_all(self, done: Restored) -> None:
        """Piece after piece, then the rows that others held."""
        throttle = Throttle(self.run)
        while self.cursor < self.row_count:
            last = min(self.cursor + self.pace.rows, self.row_count)
            held = self._with_retries(partial(self._piece, self.cursor, last, done, skip=True))
            self.pace.learn(last - self.cursor, held)
            self.cursor = last
            throttle.rest()
        for place in self.skipped:
            self._with_retries(partial(self._piece, place - 1, place, done, skip=False))
            throttle.rest()

    def edited(self) -> list[str]:
        """The primary keys of rows that are no longer as they were left; changes nothing."""
        places = list(range(self.cursor + 1, self.row_count + 1)) + self.skipped
        same, _ = self._same(places)
        if len(same) == len(places):
            return []
        rows = self.run.worker.execute(
            "SELECT j.primary_keys -> (k.place - 1) FROM vaccine.journal j, unnest(%s::int[]) AS k (place)"
            " WHERE j.batch = %s ORDER BY k.place",
            (sorted(set(places) - set(same)), self.batch),
        ).fetchall()
        return ["/".join(map(str, row[0])) for row in rows]

    def statement(self, places: list[int], columns: Sequence[str]) -> sql.Composed:
        """The statement that puts the old values back, for a dry run."""
        return self._update(places, columns)

    def _with_retries(self, action: Callable[[], float]) -> float:
        table = self.images.table
        what = f"restore rows of {table.schema}.{table.name}; those done so far are committed"
        return with_row_retries(self.run, self.key, action, what)

    def _piece(self, after: int, last: int, done: Restored, *, skip: bool) -> float:
        """Restore the rows `after` < place <= `last` in one transaction; the milliseconds that locks were held."""
        worker = self.run.worker
        with worker.pipeline(), worker.transaction():
            worker.execute(batch_settings(self.run))
            started = time.monotonic()
            locked = self._locked(after, last, skip=skip)
            there = locked if len(locked) == last - after else self._places(after, last, sql.SQL(""))
            same, changed = self._same(locked)
            stamped = self._change(same, changed) if same else set()
            skipped = set(there) - set(locked)
            kept = set(range(after + 1, last + 1)) - set(same) - skipped
            self._note(last, same, sorted(kept), sorted(skipped), sorted(stamped), skip=skip)
        if skip:
            self.skipped += sorted(skipped)
        done.rows += len(same)
        done.kept += len(kept)
        done.stamped |= stamped
        return (time.monotonic() - started) * 1000

    def _locked(self, after: int, last: int, *, skip: bool) -> list[int]:
        how = sql.SQL(" ORDER BY a.{place} FOR NO KEY UPDATE OF t{skip}").format(
            place=self._place, skip=sql.SQL(" SKIP LOCKED" if skip else "")
        )
        return self._places(after, last, how)

    def _places(self, after: int, last: int, how: sql.Composable) -> list[int]:
        """The places of rows that are there, in one stretch of the batch."""
        row = self.run.worker.execute(
            sql.SQL(
                "SELECT coalesce(array_agg(x.n), '{{}}') FROM (SELECT a.{place} FROM {join}"
                " AND a.{place} > {after} AND a.{place} <= {last}{how}) AS x (n)"
            ).format(
                place=self._place,
                join=self._join("a", "after"),
                after=sql.Literal(after),
                last=sql.Literal(last),
                how=how,
            )
        ).fetchone()
        assert row is not None
        return list(row[0])

    def _same(self, places: list[int]) -> tuple[list[int], list[str]]:
        """Of these rows, those still as they were left; and the columns in which their two images differ."""
        settable = self._settable
        differs = [
            sql.SQL("bool_or(NOT pg_catalog.record_image_eq(ROW(b.{c}), ROW(a.{c})))").format(c=sql.Identifier(name))
            for name in settable
        ]
        row = self.run.worker.execute(
            sql.SQL(
                "SELECT coalesce(array_agg(a.{place}), '{{}}'), ARRAY[{differs}]::boolean[] FROM {join}"
                " JOIN {images} AS b ON b.{batch} = a.{batch} AND b.{place} = a.{place} AND b.{image} = 'before'"
                " AND a.{place} = ANY ({places}) AND {unedited}"
            ).format(
                place=self._place,
                differs=sql.SQL(", ").join(differs),
                join=self._join("a", "after"),
                images=self.images.relation,
                batch=self.images.batch,
                image=sql.Identifier(self.images.meta[2]),
                places=numbers(places),
                unedited=self._equal("t", "a", self._compared),
            )
        ).fetchone()
        assert row is not None
        return list(row[0]), [name for name, flag in zip(settable, row[1], strict=True) if flag]

    def _change(self, same: list[int], changed: list[str]) -> set[str]:
        """Put the old values back. Returns the columns that a trigger stamped over them, past our means to prevent."""
        if not changed:
            return set()
        worker = self.run.worker
        worker.execute(self._update(same, changed))
        worker.execute("SET CONSTRAINTS ALL IMMEDIATE")
        stamped = self._stamped(same)
        again = sorted(stamped & set(self._settable))
        if again and self._may_silence(again):
            worker.execute("SET LOCAL session_replication_role = replica")
            worker.execute(self._update(same, again))
            worker.execute("SET LOCAL session_replication_role = origin")
            stamped = self._stamped(same)
        return stamped

    def _update(self, places: list[int], columns: Sequence[str]) -> sql.Composed:
        table = self.images.table
        return sql.SQL(
            "UPDATE {source} AS t SET {set} FROM {images} AS b WHERE {same} AND b.{batch} = {number}"
            " AND b.{image} = 'before' AND b.{place} = ANY ({places})"
        ).format(
            source=table.source,
            set=sql.SQL(", ").join(sql.SQL("{c} = b.{c}").format(c=sql.Identifier(name)) for name in columns),
            images=self.images.relation,
            same=equal("t", table.primary_key, "b", table.primary_key),
            batch=self.images.batch,
            number=sql.Literal(self.batch),
            image=sql.Identifier(self.images.meta[2]),
            place=self._place,
            places=numbers(places),
        )

    def _stamped(self, places: list[int]) -> set[str]:
        """The columns in which restored rows differ from their old images."""
        compared = self._compared
        differs = [
            sql.SQL("bool_or(NOT pg_catalog.record_image_eq(ROW(b.{c}), ROW(t.{c})))").format(c=sql.Identifier(name))
            for name in compared
        ]
        row = self.run.worker.execute(
            sql.SQL("SELECT count(*), ARRAY[{differs}]::boolean[] FROM {join} AND b.{place} = ANY ({places})").format(
                differs=sql.SQL(", ").join(differs),
                join=self._join("b", "before"),
                place=self._place,
                places=numbers(places),
            )
        ).fetchone()
        assert row is not None
        if row[0] != len(places):
            raise RestoreError(
                f"restoring {self.key} lost rows; this batch was rolled back",
                why=f"{len(places)} rows were restored, {row[0]} are there afterwards: a trigger or a rule interferes",
                fix="look at the table's triggers (\\d in psql)",
            )
        return {name for name, flag in zip(compared, row[1], strict=True) if flag}

    def _may_silence(self, columns: list[str]) -> bool:
        worker = self.run.worker
        question = (
            "SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
            if worker.info.server_version >= 150000
            else "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
        )
        allowed = worker.execute(question).fetchone()
        where = {"table": self.images.table.oid, "columns": columns}
        unsafe = worker.execute(NOT_SILENCEABLE, where).fetchone()
        return bool(allowed and allowed[0] and unsafe and not unsafe[0])

    def _note(
        self, last: int, same: list[int], kept: list[int], skipped: list[int], stamped: list[str], *, skip: bool
    ) -> None:
        self.run.worker.execute(
            """
            UPDATE vaccine.journal j
               SET restored_count = j.restored_count + %(same)s, kept_rows = j.kept_rows || %(kept)s::int[],
                   restore_cursor = greatest(j.restore_cursor, %(last)s), skipped_rows = left_over.places,
                   stamped_columns = ARRAY(SELECT unnest(j.stamped_columns) UNION SELECT unnest(%(stamped)s::text[])),
                   outcome = CASE WHEN greatest(j.restore_cursor, %(last)s) >= j.row_count
                                   AND cardinality(left_over.places) = 0 THEN 'restored' ELSE 'restoring' END,
                   restored_at = clock_timestamp()
              FROM (SELECT CASE WHEN %(skip)s THEN o.skipped_rows || %(skipped)s::int[]
                                ELSE array_remove(o.skipped_rows, %(last)s) END AS places
                      FROM vaccine.journal o WHERE o.batch = %(batch)s) AS left_over
             WHERE j.batch = %(batch)s
            """,
            {
                "same": len(same), "kept": kept, "last": last, "stamped": stamped, "skip": skip, "skipped": skipped,
                "batch": self.batch,
            },
        )  # fmt: skip

    def _join(self, alias: str, image: str) -> sql.Composable:
        """The batch's images of one kind as `alias`, joined to the table as `t`."""
        table = self.images.table
        return sql.SQL(
            "{images} AS {alias} JOIN {source} AS t ON {same} AND {alias}.{batch} = {number}"
            " AND {alias}.{image} = {kind}"
        ).format(
            images=self.images.relation,
            alias=sql.Identifier(alias),
            source=table.source,
            same=equal("t", table.primary_key, alias, table.primary_key),
            batch=self.images.batch,
            number=sql.Literal(self.batch),
            image=sql.Identifier(self.images.meta[2]),
            kind=sql.Literal(image),
        )

    def _equal(self, left: str, right: str, columns: Sequence[str]) -> sql.Composable:
        return sql.SQL("pg_catalog.record_image_eq(ROW({}), ROW({}))").format(
            names(columns, left), names(columns, right)
        )

    @property
    def _place(self) -> sql.Identifier:
        return sql.Identifier(self.images.meta[1])

    @property
    def _compared(self) -> list[str]:
        return [column.name for column in self.images.table.columns if column.generated != "v"]

    @property
    def _settable(self) -> list[str]:
        return [column.name for column in self.images.table.columns if not column.generated and column.identity != "a"]
