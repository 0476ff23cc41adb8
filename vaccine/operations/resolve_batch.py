"""One batch of a dedupe in one statement, prepared once: most of a vaccination goes this way.

The statement locks the excess rows that are still the very versions that were found, and whose survivor is too;
it skips those that another session holds. Of what it locked it writes the old images, resolves, writes the new
images and the journal's row. A version is known by its `xmin` and its primary key; `ctid` finds it without an index
(manual, section 5.6). What it leaves (locked, changed or gone since) is for `recheck`, which looks again under the
lock.

The survivor is not locked: when it changes after the statement's snapshot was taken, the outcome is that of a
dedupe that came just before that change. An excess row that changed in between is locked only in its newest version,
whose `xmin` is another, so that it is left (manual, section 13.2.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from .journal import Images
from .key import Policy, literals, names
from .shape import Shape
from .table import Table, equal
from .work import WORK, Work, assignments, live_key

NUMBER, LOCKED, CHANGED, AFTER = (
    sql.Identifier(name) for name in ("vaccine number", "vaccine locked", "vaccine changed", "vaccine after")
)


@dataclass(frozen=True)
class BatchStatement:
    """The statement of one batch: the work rows `after` < n <= `last`, both SQL (a literal, or $1 and $2).

    It returns the batch's number, how many rows were locked, changed, found again, are live still, and, where not
    all work rows were locked, the numbers of those that were. With `late` it writes no new images: `reread` does.
    Where the new rows are the old ones with the same value in each of the `shared` columns (`shared_columns`), it
    writes the new image of the first row only.
    """

    work: Work
    images: Images
    revision: str
    late: bool
    fires: bool
    lock: sql.SQL
    shared: tuple[str, ...] = ()

    def statement(self, after: sql.Composable, last: sql.Composable) -> sql.Composed:
        """All of it."""
        parts = [
            sql.SQL("{} AS MATERIALIZED (\nSELECT pg_catalog.nextval('vaccine.journal_batch_seq') AS {}\n)").format(
                NUMBER, self.images.batch
            ),
            sql.SQL("{} AS MATERIALIZED (\n{}\n)").format(LOCKED, self._locked(after, last)),
            sql.SQL('"vaccine before" AS (\n{}\n)').format(self._images(LOCKED, "before")),
            sql.SQL("{} AS (\n{}\n)").format(CHANGED, self._update()),
            sql.SQL('"vaccine noted" AS (\n{}\n)').format(self._note()),
        ]
        if not self.late:
            parts.append(sql.SQL("{} AS (\n{}\n)").format(AFTER, self._first_image() if self.shared else self._after()))
        return sql.SQL(
            "WITH {parts}\nSELECT {number}, l.rows, (SELECT count(*) FROM {changed}), {found},\n"
            "CASE WHEN l.rows < {last} - {first} THEN l.places END\n"
            "FROM (SELECT count(*), pg_catalog.array_agg({n}) FROM {locked}) AS l (rows, places)"
        ).format(
            parts=sql.SQL(", ").join(parts),
            number=self._number,
            changed=CHANGED,
            found=self._found(),
            first=after,
            last=last,
            n=self._n,
            locked=LOCKED,
        )

    def _found(self) -> sql.Composable:
        """How many of the changed rows were found again, and are live still."""
        if self.late:
            return sql.SQL("NULL::bigint, NULL::bigint")
        seen = CHANGED if self.shared else AFTER
        return sql.SQL("(SELECT count(*) FROM {0}), (SELECT count(*) FROM {0} WHERE {1})").format(seen, self._live)

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

    def _locked(self, after: sql.Composable, last: sql.Composable) -> sql.Composed:
        """The rows with their old values, numbered; the place in the batch counts only those that were locked."""
        work, table = self.work, self.work.table
        excess_ctid, excess_xmin, survivor_ctid, survivor_xmin = map(sql.Identifier, work.seen)
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
            old=names(table.names, "t"),
            work=WORK,
            source=table.source,
            excess=equal("t", table.primary_key, "w", work.excess),
            survivor=equal("s", table.primary_key, "w", work.survivor),
            n=self._n,
            after=after,
            last=last,
            lock=self.lock,
        )

    def _after(self) -> sql.Composed:
        """The new images of all changed rows."""
        return sql.SQL("{}{}\nRETURNING ({}) IS TRUE AS {}").format(
            self._images(CHANGED, "after"), self._same_key(), live_key(self.work.key), self._live
        )

    def _first_image(self) -> sql.Composed:
        """The new image of the first row: the old one, but for the columns that were set."""
        alias = {True: "c", False: "r"}
        values = (sql.Identifier(alias[name in self.shared], name) for name in self.work.table.names)
        return sql.SQL(
            "INSERT INTO {images} ({columns})\nSELECT {number}, r.{place}, 'after', {values}\n"
            "FROM {locked} AS r JOIN {changed} AS c ON c.{place} = r.{place} WHERE r.{place} = 1"
        ).format(
            images=self.images.relation,
            columns=self.images.columns,
            number=self._number,
            place=self._place,
            values=sql.SQL(", ").join(values),
            locked=LOCKED,
            changed=CHANGED,
        )

    def _images(self, rows: sql.Identifier, image: str) -> sql.Composed:
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
            values=names(self.work.table.names, "r"),
            rows=rows,
        )

    def _update(self) -> sql.Composed:
        """The rows as they were resolved. FROM shows no name of the table's columns to an assigned expression."""
        work, table = self.work, self.work.table
        new = [sql.SQL("{}.{}").format(table.relation, sql.Identifier(name)) for name in self.shared or table.names]
        if self.shared:
            new.append(sql.SQL("({}) IS TRUE AS {}").format(live_key(work.key), self._live))
            new.append(sql.SQL("{}.ctid AS {}").format(table.relation, self._at))
        same = [
            sql.SQL("{}.{} = {}.{}").format(table.relation, sql.Identifier(name), self._row, sql.Identifier(own))
            for name, own in zip(table.primary_key, work.excess, strict=True)
        ]
        return sql.SQL(
            "UPDATE {source} SET {assignments}\nFROM (SELECT {place}, {excess}, {ctid} FROM {locked}) AS {row}\n"
            "WHERE {relation}.ctid = {row}.{ctid} AND {same}\nRETURNING {row}.{place}, {own}, {new}"
        ).format(
            source=table.source,
            assignments=assignments(work.policy),
            place=self._place,
            excess=names(work.excess),
            ctid=sql.Identifier(work.seen[0]),
            locked=LOCKED,
            row=self._row,
            relation=table.relation,
            same=sql.SQL(" AND ").join(same),
            own=sql.SQL(", ").join(sql.SQL("{}.{}").format(self._row, sql.Identifier(name)) for name in work.excess),
            new=sql.SQL(", ").join(new),
        )

    def _same_key(self) -> sql.Composable:
        """A row that a BEFORE trigger gave another primary key is not found again; without triggers none can."""
        if not self.fires:
            return sql.SQL("")
        return sql.SQL("\nWHERE pg_catalog.record_image_eq(ROW({}), ROW({}))").format(
            names(self.work.table.primary_key, "r"), names(self.work.excess, "r")
        )

    def _note(self) -> sql.Composed:
        key, policy = self.work.key, self.work.policy
        values = (key.schema, key.table, list(key.columns), key.where, self.images.name, list(self.shared))
        return sql.SQL(
            "INSERT INTO vaccine.journal (batch, revision, plan, schema_name, table_name, key_columns, predicate,"
            " images, shared_columns, left_at, row_count, primary_keys, survivors, started_at, resolved_at, outcome)\n"
            "SELECT {number}, {values}, {left_at}, count(*),"
            " pg_catalog.to_jsonb(pg_catalog.array_agg({excess} ORDER BY r.{place})),"
            " pg_catalog.to_jsonb(pg_catalog.array_agg({survivor} ORDER BY r.{place})),"
            " pg_catalog.now(), pg_catalog.clock_timestamp(), 'resolved'\nFROM {locked} AS r HAVING count(*) > 0"
        ).format(
            number=self._number,
            values=literals([self.revision, policy.plan, *values]),
            left_at=self._left_at(),
            excess=texts(self.work.excess, "r"),
            survivor=texts(self.work.survivor, "r"),
            place=self._place,
            locked=LOCKED,
        )

    def _left_at(self) -> sql.Composable:
        """Where the new rows lie, in their order: a restore looks there first."""
        if not self.shared:
            return sql.SQL("NULL::tid[]")
        return sql.SQL("(SELECT pg_catalog.array_agg({} ORDER BY {}) FROM {})").format(self._at, self._place, CHANGED)

    @property
    def _number(self) -> sql.Composed:
        return sql.SQL("(SELECT {} FROM {})").format(self.images.batch, NUMBER)

    @property
    def _n(self) -> sql.Identifier:
        return sql.Identifier(self.work.number)

    @property
    def _row(self) -> sql.Identifier:
        return self.work.table.alias("vaccine row")

    @property
    def _live(self) -> sql.Identifier:
        return sql.Identifier(self.work.table.free("vaccine_live"))

    @property
    def _at(self) -> sql.Identifier:
        return sql.Identifier(self.work.table.free("vaccine_at"))

    @property
    def _place(self) -> sql.Identifier:
        return sql.Identifier(self.images.meta[1])


def texts(columns: tuple[str, ...], alias: str) -> sql.Composable:
    """A primary key in the columns of `alias`, as an array of text."""
    each = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(alias, column)) for column in columns)
    return sql.SQL("ARRAY[{}]").format(each)


def shared_columns(table: Table, policy: Policy, shape: Shape) -> tuple[str, ...]:
    """The columns that a batch sets to one value in all its rows, where nothing else can change in them; else none.

    The new images then follow from the old ones and the first row's new one. So it is with literals, as long as no
    trigger, rule, foreign key or generated column has a say.
    """
    if shape.meddles or any(column.generated for column in table.columns):
        return ()
    return () if any(isinstance(to, Mapping) for to in policy.assign.values()) else tuple(policy.assign)
