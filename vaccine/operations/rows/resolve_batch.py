"""One batch in one statement, prepared once: the rows that are as they were found, resolved and journalled.

A batch locks the excess rows that are still the very versions that were found, and whose survivor is too; it skips
those that another session holds. A version is known by its `xmin` and its primary key; `ctid` finds it without an
index (manual, section 5.6). What a batch leaves (held, changed or gone since) is for `recheck`.

The survivor is not locked: when it changes after the statement's snapshot was taken, the outcome is that of a
dedupe that came just before that change. An excess row that changed in between is locked only in its newest version,
whose `xmin` is another, so that it is left (manual, section 13.2.1).

Where nothing but the assignment of literals has a say, the UPDATE takes the rows as they are locked and hands on the
old values, of which images and the journal's row are written; the new rows follow from the old ones, and one new
image, that of the first row, serves all. Else the locked rows stand by themselves, to be counted whatever a trigger
does to them, and each has its own new image. Where a trigger or a cascade may still come once the statement has
ended, it writes no new images: `reread` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ..key import Value, literals, names
from ..table import TargetTable, equal
from .find import WORK, Work, assignments, live_key
from .journal import Images
from .record import UpgradeRecord
from .shape import UpdateEffects, read_shape

NUMBER, LOCKED, CHANGED, AFTER = (
    sql.Identifier(name) for name in ("vaccine number", "vaccine locked", "vaccine changed", "vaccine after")
)


@dataclass(frozen=True)
class BatchStatement:
    """The statement of one batch. `lock` is how it locks its rows, `shared` the columns that are set to one value.

    Without `shared` the table may meddle: `late` tells that new images must wait, `fires` that triggers come before.
    """

    work: Work
    images: Images
    record: UpgradeRecord
    lock: sql.SQL
    shared: tuple[str, ...] = ()
    late: bool = False
    fires: bool = False

    def statement(self, after: sql.Composable, last: sql.Composable) -> sql.Composed:
        """Of the work rows `after` < n <= `last`, both SQL (a literal, or $1 and $2).

        It returns the batch's number, how many rows were locked, changed, found again, are live still, and, where
        not all work rows were locked, the numbers of those that were.
        """
        changed, found, live = self._counts()
        return sql.SQL(
            "WITH {parts}\nSELECT {number}, l.rows, {changed}, {found}, l.live,\n"
            "CASE WHEN l.rows < {last} - {first} THEN l.places END\n"
            "FROM (SELECT count(*), {live}, pg_catalog.array_agg({n}) FROM {rows}) AS l (rows, live, places)"
        ).format(
            parts=sql.SQL(", ").join(self._parts(after, last)),
            number=self._number,
            changed=changed,
            found=found,
            last=last,
            first=after,
            live=live,
            n=sql.Identifier(self.work.number),
            rows=self._rows,
        )

    def _counts(self) -> tuple[sql.Composable, sql.Composable, sql.Composable]:
        """How many rows were changed, are found again under their key, and are live still."""
        live = sql.SQL("count(*) FILTER (WHERE {})").format(self._own("live"))
        if self.shared:
            return sql.SQL("l.rows"), sql.SQL("l.rows"), live
        changed = sql.SQL("(SELECT count(*) FROM {})").format(CHANGED)
        if self.late:
            return changed, sql.SQL("NULL::bigint"), sql.SQL("NULL::bigint")
        same = sql.SQL(" WHERE {}").format(self._own("same")) if self.fires else sql.SQL("")
        found = sql.SQL("(SELECT count(*) FROM {}{})").format(CHANGED, same)
        return changed, found, sql.SQL("(SELECT {} FROM {})").format(live, CHANGED)

    def reread(self, batch: sql.Composable) -> sql.Composed:
        """The new images, read from the table; run once triggers and deferred constraints have had their say."""
        table, (number, place, image) = self.work.table, map(sql.Identifier, self.images.meta)
        return sql.SQL(
            "WITH {after} AS (\nINSERT INTO {images} AS {alias} ({columns})\n"
            "SELECT b.{number}, b.{place}, 'after', {new}\nFROM {images} AS b JOIN {source} AS t ON {same}\n"
            "WHERE b.{number} = {batch} AND b.{image} = 'before'\nRETURNING ({live}) IS TRUE AS live\n)\n"
            "SELECT count(*), count(*) FILTER (WHERE live) FROM {after}"
        ).format(
            after=AFTER,
            images=self.images.relation,
            alias=sql.Identifier(table.name),
            columns=self.images.columns,
            number=number,
            place=place,
            image=image,
            new=names(table.names, "t"),
            source=table.source,
            same=equal("t", table.primary_key, "b", table.primary_key),
            batch=batch,
            live=live_key(self.work.key),
        )

    def _parts(self, after: sql.Composable, last: sql.Composable) -> list[sql.Composable]:
        """The WITH, one part after the other."""
        rows, part = self._locked(after, last), sql.SQL("{} AS (\n{}\n)")
        parts: list[sql.Composable] = [
            sql.SQL("{} AS MATERIALIZED (\nSELECT pg_catalog.nextval('vaccine.journal_batch_seq') AS {}\n)").format(
                NUMBER, self.images.batch
            )
        ]
        if not self.shared:
            parts.append(sql.SQL("{} AS MATERIALIZED (\n{}\n)").format(LOCKED, rows))
            few = (self.images.meta[1], *self.work.excess, self.work.seen[0])
            rows = sql.SQL("SELECT {} FROM {}").format(names(few), LOCKED)
        counted = self.record.count(sql.SQL("(SELECT count(*) FROM {})").format(self._rows))
        parts += [
            part.format(CHANGED, self._changed(rows)),
            part.format(sql.SQL('"vaccine before"'), self._images(self._rows, "before", self._old)),
            part.format(sql.SQL('"vaccine noted"'), self._noted()),
            part.format(sql.SQL('"vaccine counted"'), counted),
        ]
        return parts if self.late else [*parts, part.format(AFTER, self._after())]

    def _locked(self, after: sql.Composable, last: sql.Composable) -> sql.Composed:
        """The rows with their old values, numbered; the place in the batch counts only those that were locked."""
        work, table = self.work, self.work.table
        excess_ctid, excess_xmin, survivor_ctid, survivor_xmin = map(sql.Identifier, work.seen)
        old = zip(table.names, self._old, strict=True)
        return sql.SQL(
            "SELECT pg_catalog.row_number() OVER () AS {place}, {row}.* FROM (\n"
            "SELECT {found}, t.ctid AS {ctid}, {old}\nFROM {work} AS w\n"
            "JOIN {source} AS t ON t.ctid = w.{ctid} AND t.xmin = w.{xmin} AND {excess}\n"
            "JOIN {source} AS s ON s.ctid = w.{survivor_ctid} AND s.xmin = w.{survivor_xmin} AND {survivor}\n"
            "WHERE w.{n} > {after} AND w.{n} <= {last}\nORDER BY w.{n} {lock} OF t SKIP LOCKED) AS {row}"
        ).format(
            place=self._place,
            row=self._row,
            found=names((work.number, *work.excess, *work.survivor), "w"),
            ctid=excess_ctid,
            xmin=excess_xmin,
            survivor_ctid=survivor_ctid,
            survivor_xmin=survivor_xmin,
            old=_renamed(sql.SQL("t"), dict(old)),
            work=WORK,
            source=table.source,
            excess=equal("t", table.primary_key, "w", work.excess),
            survivor=equal("s", table.primary_key, "w", work.survivor),
            n=sql.Identifier(work.number),
            after=after,
            last=last,
            lock=self.lock,
        )

    def _changed(self, rows: sql.Composable) -> sql.Composed:
        """The rows as they were resolved. FROM shows no name of the table's columns to an assigned expression."""
        work, table = self.work, self.work.table
        same = [
            sql.SQL("{}.{} = {}.{}").format(table.relation, sql.Identifier(name), self._row, sql.Identifier(own))
            for name, own in zip(table.primary_key, work.excess, strict=True)
        ]
        return sql.SQL(
            "UPDATE {source} SET {assignments}\nFROM ({rows}) AS {row}\n"
            "WHERE {relation}.ctid = {row}.{ctid} AND {same}\nRETURNING {returning}"
        ).format(
            source=table.source,
            assignments=assignments(work.policy),
            rows=rows,
            ctid=sql.Identifier(work.seen[0]),
            row=self._row,
            relation=table.relation,
            same=sql.SQL(" AND ").join(same),
            returning=self._returning(),
        )

    def _returning(self) -> sql.Composable:
        """Place, number, both primary keys and the old values, where they are handed on; what may be new; and more."""
        work, table = self.work, self.work.table
        kept: tuple[str, ...] = (self.images.meta[1],)
        if self.shared:
            kept += work.number, *work.excess, *work.survivor, *self._old
        parts: list[sql.Composable] = [
            sql.SQL(", ").join(sql.SQL("{}.{}").format(self._row, sql.Identifier(name)) for name in kept)
        ]
        if self.late:
            return sql.SQL(", ").join(parts)
        parts.append(_renamed(table.relation, self._new))
        parts.append(sql.SQL("({}) IS TRUE AS {}").format(live_key(work.key), self._own("live")))
        if self.shared:
            parts.append(sql.SQL("{}.ctid AS {}").format(table.relation, self._own("at")))
        elif self.fires:
            key = sql.SQL(", ").join(
                sql.SQL("{}.{}").format(table.relation, sql.Identifier(name)) for name in table.primary_key
            )
            own = sql.SQL(", ").join(sql.SQL("{}.{}").format(self._row, sql.Identifier(name)) for name in work.excess)
            same = sql.SQL("pg_catalog.record_image_eq(ROW({}), ROW({})) AS {}")
            parts.append(same.format(key, own, self._own("same")))
        return sql.SQL(", ").join(parts)

    def _after(self) -> sql.Composed:
        """The new images: the first row's for all; else each row's, but not where a trigger changed its primary key."""
        pairs = zip(self.work.table.names, self._old, strict=True)
        images = self._images(CHANGED, "after", [self._new.get(name, old) for name, old in pairs])
        if self.shared:
            return images + sql.SQL(" WHERE r.{} = 1").format(self._place)
        return images + sql.SQL(" WHERE r.{}").format(self._own("same")) if self.fires else images

    def _images(self, rows: sql.Identifier, image: str, columns: Sequence[str]) -> sql.Composed:
        """Images of `rows`, which go by `r`; `columns` of them hold the values."""
        # The image table goes by the user's table's name here, for a predicate that says `issues.status`.
        return sql.SQL(
            "INSERT INTO {images} AS {alias} ({columns})\n"
            "SELECT {number}, r.{place}, {image}, {values} FROM {rows} AS r"
        ).format(
            images=self.images.relation,
            alias=sql.Identifier(self.work.table.name),
            columns=self.images.columns,
            number=self._number,
            place=self._place,
            image=sql.Literal(image),
            values=names(columns, "r"),
            rows=rows,
        )

    def _noted(self) -> sql.Composed:
        """The journal's row."""
        key, policy = self.work.key, self.work.policy
        values = (key.schema, key.table, list(key.columns), key.where, self.images.name, list(self.shared))
        left_at = sql.SQL("pg_catalog.array_agg(r.{} ORDER BY r.{})").format(self._own("at"), self._place)
        return sql.SQL(
            "INSERT INTO vaccine.journal (batch, revision, plan, schema_name, table_name, key_columns, predicate,"
            " images, shared_columns, left_at, row_count, primary_keys, survivors, started_at, resolved_at, outcome)\n"
            "SELECT {number}, {values}, {left_at}, count(*),"
            " pg_catalog.to_jsonb(pg_catalog.array_agg({excess} ORDER BY r.{place})),"
            " pg_catalog.to_jsonb(pg_catalog.array_agg({survivor} ORDER BY r.{place})),"
            " pg_catalog.now(), pg_catalog.clock_timestamp(), 'resolved'\nFROM {rows} AS r HAVING count(*) > 0"
        ).format(
            number=self._number,
            values=literals([self.record.revision, policy.plan, *values]),
            left_at=left_at if self.shared else sql.SQL("NULL::tid[]"),
            excess=texts(self.work.excess, "r"),
            survivor=texts(self.work.survivor, "r"),
            place=self._place,
            rows=self._rows,
        )

    def _own(self, what: str) -> sql.Identifier:
        """A column of the statement's own."""
        return sql.Identifier(self.work.table.free(f"vaccine_{what}"))

    @property
    def _rows(self) -> sql.Identifier:
        """The part that has the rows that were locked, with their old values."""
        return CHANGED if self.shared else LOCKED

    @property
    def _old(self) -> tuple[str, ...]:
        """The columns with the old values."""
        return tuple(self.work.table.free(f"vaccine_o{place}") for place, _ in enumerate(self.work.table.names))

    @property
    def _new(self) -> dict[str, str]:
        """The columns with what may be new."""
        new = self.shared or self.work.table.names
        return {name: self.work.table.free(f"vaccine_v{place}") for place, name in enumerate(new)}

    @property
    def _number(self) -> sql.Composed:
        return sql.SQL("(SELECT {} FROM {})").format(self.images.batch, NUMBER)

    @property
    def _row(self) -> sql.Identifier:
        return self.work.table.alias("vaccine row")

    @property
    def _place(self) -> sql.Identifier:
        return sql.Identifier(self.images.meta[1])


def texts(columns: tuple[str, ...], alias: str) -> sql.Composable:
    """A primary key in the columns of `alias`, as an array of text."""
    each = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(alias, column)) for column in columns)
    return sql.SQL("ARRAY[{}]").format(each)


def _renamed(relation: sql.Composable, columns: Mapping[str, str]) -> sql.Composable:
    return sql.SQL(", ").join(
        sql.SQL("{}.{} AS {}").format(relation, sql.Identifier(name), sql.Identifier(alias))
        for name, alias in columns.items()
    )


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
