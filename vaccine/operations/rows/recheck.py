"""Batches of rows that changed since they were found, or were locked then: lock, look again, old image, resolve.

What is locked is looked at in a new snapshot: a row is retired only when it and its survivor are both still live,
still share the key, and the survivor still comes first. Slower than `resolve_batch`, and right for any row.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from ..errors import VerifyError
from ..key import names
from ..session.run import Run
from ..table import equal
from .find import WORK, Work, assignments, live_key, ranking
from .journal import Batch, Images, write_batch
from .record import record_of
from .resolve_batch import texts
from .shape import row_lock


@dataclass(frozen=True)
class Recheck:
    """Resolves chosen work rows; every call of `resolve` runs in a transaction that its caller has opened."""

    run: Run
    work: Work
    images: Images

    def resolve(self, chosen: list[int], *, skip: bool) -> tuple[int, list[int]]:
        """How many of these work rows were resolved, and which were locked; `skip` leaves those that others hold.

        Raises:
            VerifyError: a trigger or rule undoes the resolve.
        """
        worker = self.run.worker
        batch = worker.execute("SELECT pg_catalog.nextval('vaccine.journal_batch_seq')")
        locked = self._numbers(self._lock(chosen, skip=skip))
        sure = self._numbers(self._check(locked)) if locked else []
        if sure:
            self._change(batch, sure)
        return len(sure), locked

    def _numbers(self, query: sql.Composable) -> list[int]:
        row = self.run.worker.execute(
            sql.SQL("SELECT coalesce(pg_catalog.array_agg(x.n ORDER BY x.n), '{{}}') FROM ({}) AS x (n)").format(query)
        ).fetchone()
        assert row is not None
        return list(row[0])

    def _lock(self, chosen: list[int], *, skip: bool) -> sql.Composable:
        return sql.SQL(
            "SELECT w.{n} FROM {work} AS w JOIN {source} AS t ON {same} WHERE w.{n} = ANY ({chosen})"
            " ORDER BY w.{n} {lock} OF t{skip}"
        ).format(
            n=self._n,
            work=WORK,
            source=self.work.table.source,
            same=equal("t", self.work.table.primary_key, "w", self.work.excess),
            chosen=numbers(chosen),
            lock=row_lock(self.run.worker, self.work.table, tuple(self.work.policy.assign)),
            skip=sql.SQL(" SKIP LOCKED") if skip else sql.SQL(""),
        )

    def _check(self, locked: list[int]) -> sql.Composable:
        """The numbers whose row is excess still: of it and its survivor, both live with one key, it comes second."""
        table, work = self.work.table, self.work
        pair, excess = sql.Identifier(table.free("vaccine_pair")), sql.Identifier(table.free("vaccine_excess"))
        at = tuple(table.free(f"vaccine_k{place}") for place, _ in enumerate(table.primary_key))
        join = sql.SQL(" AND ").join(
            sql.SQL("{}.{} = {}").format(table.relation, sql.Identifier(column), sql.Identifier(alias))
            for column, alias in zip(table.primary_key, at, strict=True)
        )
        side = sql.SQL("SELECT {n}, {flag}, {columns} FROM {work} WHERE {n} = ANY ({locked})")
        fill = {"n": self._n, "work": WORK, "locked": numbers(locked)}
        return sql.SQL(
            "SELECT {pair} FROM (SELECT {pair}, {excess}, row_number() OVER ({ranking}) AS vaccine_place"
            " FROM ({sides}) AS {alias} ({pair}, {excess}, {at}) JOIN {source} ON {join} WHERE {live}) AS pairs"
            " WHERE {excess} AND vaccine_place = 2"
        ).format(
            pair=pair,
            excess=excess,
            ranking=ranking(work, pair),
            sides=sql.SQL(" UNION ALL ").join(
                [
                    side.format(flag=sql.SQL("TRUE"), columns=names(work.excess), **fill),
                    side.format(flag=sql.SQL("FALSE"), columns=names(work.survivor), **fill),
                ]
            ),
            alias=table.alias("vaccine sides"),
            at=names(at),
            source=table.source,
            join=join,
            live=live_key(work.key),
        )

    def _change(self, batch: psycopg.Cursor[tuple[int]], sure: list[int]) -> None:
        """Old images, resolve, new images, the journal's row; all in the batch's transaction."""
        worker = self.run.worker
        row = batch.fetchone()
        assert row is not None
        number = row[0]
        worker.execute(self._image(number, sure, "before"))
        update = worker.execute(self._update(sure))
        worker.execute("SET CONSTRAINTS ALL IMMEDIATE")
        after = worker.execute(
            sql.SQL("WITH after AS ({} RETURNING ({}) IS TRUE AS live) SELECT count(*), count(*) FILTER (WHERE live)"
                    " FROM after").format(self._image(number, sure, "after"), live_key(self.work.key))
        ).fetchone()  # fmt: skip
        assert after is not None
        if update.rowcount != len(sure) or after != (len(sure), 0):
            raise undone(self.work, len(sure), update.rowcount, *after)
        pairs = sql.SQL("SELECT o.place, {excess}, {survivor} FROM {chosen}").format(
            excess=texts(self.work.excess, "w"),
            survivor=texts(self.work.survivor, "w"),
            chosen=self._chosen(sure),
        )
        where = self.run.revision, self.work.key, self.work.policy, self.images
        write_batch(worker, Batch(number, *where, len(sure), pairs))
        counted = record_of(self.run, self.work.key, self.work.policy.plan).count(sql.Literal(len(sure)))
        worker.execute(counted)

    def _image(self, number: int, sure: list[int], image: str) -> sql.Composed:
        # The image table goes by the user's table's name here, for a predicate that says `issues.status`.
        return sql.SQL(
            "INSERT INTO {images} AS {alias} ({columns}) SELECT {number}, o.place, {image}, {old} FROM {chosen}"
            " JOIN {source} AS t ON {same}"
        ).format(
            images=self.images.relation,
            alias=sql.Identifier(self.work.table.name),
            columns=self.images.columns,
            number=sql.Literal(number),
            image=sql.Literal(image),
            old=names(self.work.table.names, "t"),
            chosen=self._chosen(sure),
            source=self.work.table.source,
            same=equal("t", self.work.table.primary_key, "w", self.work.excess),
        )

    def _update(self, sure: list[int]) -> sql.Composed:
        return sql.SQL(
            "UPDATE {source} SET {assignments} WHERE ({primary_key}) IN"
            " (SELECT {excess} FROM {work} AS {alias} WHERE {n} = ANY ({sure}))"
        ).format(
            source=self.work.table.source,
            assignments=assignments(self.work.policy),
            primary_key=names(self.work.table.primary_key),
            excess=names(self.work.excess),
            work=WORK,
            alias=sql.Identifier("vaccine work"),
            n=self._n,
            sure=numbers(sure),
        )

    def _chosen(self, sure: list[int]) -> sql.Composable:
        """The chosen work rows as `w`, with their place in the batch as `o.place`."""
        return sql.SQL(
            "pg_catalog.unnest({sure}) WITH ORDINALITY AS o (n, place) JOIN {work} AS w ON w.{n} = o.n"
        ).format(sure=numbers(sure), work=WORK, n=self._n)

    @property
    def _n(self) -> sql.Identifier:
        return sql.Identifier(self.work.number)


def numbers(of: list[int]) -> sql.Composable:
    """An integer[] literal."""
    return sql.SQL("{}::integer[]").format(sql.Literal("{" + ",".join(map(str, of)) + "}"))


def undone(work: Work, wanted: int, changed: int, found: int, live: int) -> VerifyError:
    """The error of a batch whose rows were not all updated, are gone, or are live still."""
    policy = assignments(work.policy).as_string(None)
    return VerifyError(
        f"resolving does not retire the rows of {work.key}; this batch was rolled back",
        why=f"of {wanted} rows, {changed} were updated with {policy}, {found} are still there, and {live} of these "
        "are still live: a trigger or a rule undoes the update, or the assignment does not end the predicate",
        fix="look at the table's triggers (\\d in psql) and at `assign` and `where` of the revision",
    )
