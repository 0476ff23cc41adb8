"""Rows restored under a lock, looked at column by column: what was held or edited, and tables whose triggers meddle.

A row is restored only when it is still as Vaccine left it, which record_image_eq tells byte for byte (manual, section
9.25.6). Triggers of the table fire as for any update; what they stamp over the old image is put right with
session_replication_role = replica where the role may, else named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from ..errors import RestoreError
from ..key import Key
from ..session.run import Run
from ..table import equal
from .journal import Images, NewImages
from .recheck import numbers
from .restore_batch import image_equal

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


@dataclass(frozen=True)
class Piece:
    """What became of some places of a batch: restored, kept with newer values, skipped because others hold them.

    `stamped` are the columns that a trigger stamped over the old values.
    """

    restored: list[int]
    kept: list[int]
    skipped: list[int]
    stamped: set[str]


@dataclass(frozen=True)
class RestoreRows:
    """Restores chosen places of one batch of the journal."""

    run: Run
    images: Images
    key: Key
    batch: int
    shared: tuple[str, ...]

    def restore(self, places: list[int], *, skip: bool, cursor: int = 0) -> Piece:
        """Restore these places; runs in a transaction that its caller has opened.

        Args:
            places: the rows, by their number in the batch.
            skip: leave rows that another session holds, instead of waiting for them.
            cursor: up to which place the batch has been gone through then.

        Raises:
            RestoreError: a trigger or rule loses rows.
        """
        locked = self._locked(places, skip=skip)
        there = locked if len(locked) == len(places) else self._places(places, sql.SQL(""))
        same, changed = self.same(locked)
        stamped = self._change(same, changed) if same else set()
        skipped = sorted(set(there) - set(locked))
        kept = sorted(set(places) - set(same) - set(skipped))
        piece = Piece(same, kept, skipped, stamped)
        self._note(places, piece, cursor)
        return piece

    def same(self, places: list[int]) -> tuple[list[int], list[str]]:
        """Of these rows, those still as they were left; and the settable columns in which their two images differ."""
        settable = self.images.table.settable
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
                unedited=image_equal("t", "a", self.images.table.compared),
            )
        ).fetchone()
        assert row is not None
        return list(row[0]), [name for name, flag in zip(settable, row[1], strict=True) if flag]

    def statement(self, places: list[int], columns: Sequence[str]) -> sql.Composed:
        """The statement that puts the old values back."""
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

    def _locked(self, places: list[int], *, skip: bool) -> list[int]:
        how = sql.SQL(" ORDER BY a.{place} FOR NO KEY UPDATE OF t{skip}").format(
            place=self._place, skip=sql.SQL(" SKIP LOCKED" if skip else "")
        )
        return self._places(places, how)

    def _places(self, places: list[int], how: sql.Composable) -> list[int]:
        """The places, of these, of rows that are there."""
        row = self.run.worker.execute(
            sql.SQL(
                "SELECT coalesce(array_agg(x.n), '{{}}') FROM (SELECT a.{place} FROM {join}"
                " AND a.{place} = ANY ({places}){how}) AS x (n)"
            ).format(place=self._place, join=self._join("a", "after"), places=numbers(places), how=how)
        ).fetchone()
        assert row is not None
        return list(row[0])

    def _change(self, same: list[int], changed: list[str]) -> set[str]:
        """Put the old values back. Returns the columns that a trigger stamped over them, past our means to prevent."""
        if not changed:  # a column that differs may be one that no UPDATE may set
            return self._stamped(same)
        worker = self.run.worker
        worker.execute(self.statement(same, changed))
        worker.execute("SET CONSTRAINTS ALL IMMEDIATE")
        stamped = self._stamped(same)
        again = sorted(stamped & set(self.images.table.settable))
        if again and self._may_silence(again):
            worker.execute("SET LOCAL session_replication_role = replica")
            worker.execute(self.statement(same, again))
            worker.execute("SET LOCAL session_replication_role = origin")
            stamped = self._stamped(same)
        return stamped

    def _stamped(self, places: list[int]) -> set[str]:
        """The columns in which restored rows differ from their old images."""
        compared = self.images.table.compared
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

    def _note(self, places: list[int], piece: Piece, cursor: int) -> None:
        self.run.worker.execute(
            """
            UPDATE vaccine.journal j
               SET restored_count = j.restored_count + %(restored)s, kept_rows = j.kept_rows || %(kept)s::int[],
                   restore_cursor = greatest(j.restore_cursor, %(cursor)s), skipped_rows = still.places,
                   stamped_columns = ARRAY(SELECT unnest(j.stamped_columns) UNION SELECT unnest(%(stamped)s::text[])),
                   outcome = CASE WHEN greatest(j.restore_cursor, %(cursor)s) >= j.row_count
                                   AND cardinality(still.places) = 0 THEN 'restored' ELSE 'restoring' END,
                   restored_at = clock_timestamp()
              FROM (SELECT ARRAY(SELECT unnest(o.skipped_rows) EXCEPT SELECT unnest(%(places)s::int[]))
                           || %(skipped)s::int[] AS places
                      FROM vaccine.journal o WHERE o.batch = %(batch)s) AS still
             WHERE j.batch = %(batch)s
            """,
            {
                "restored": len(piece.restored), "kept": piece.kept, "cursor": cursor, "places": places,
                "stamped": sorted(piece.stamped), "skipped": piece.skipped, "batch": self.batch,
            },
        )  # fmt: skip

    def _join(self, alias: str, image: str) -> sql.Composable:
        """The batch's images of one kind as `alias`, joined to the table as `t`."""
        table, images, batch = self.images.table, self.images.relation, sql.Literal(self.batch)
        new = NewImages(images, self.images.meta, table.names, self.shared, batch)
        return sql.SQL(
            "{images} AS {alias} JOIN {source} AS t ON {same} AND {alias}.{number} = {batch}"
            " AND {alias}.{image} = {kind}"
        ).format(
            images=new.source if image == "after" else images,
            alias=sql.Identifier(alias),
            source=table.source,
            same=equal("t", table.primary_key, alias, table.primary_key),
            number=self.images.batch,
            batch=batch,
            image=sql.Identifier(self.images.meta[2]),
            kind=sql.Literal(image),
        )

    @property
    def _place(self) -> sql.Identifier:
        return sql.Identifier(self.images.meta[1])
