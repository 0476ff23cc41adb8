"""What the statements of a batch are composed of: the rows that it locks, and the journal's row.

A batch locks the excess rows that are still the very versions that were found, and whose survivor is too; it skips
those that another session holds. A version is known by its `xmin` and its primary key; `ctid` finds it without an
index (manual, section 5.6).

The survivor is not locked: when it changes after the statement's snapshot was taken, the outcome is that of a
dedupe that came just before that change. An excess row that changed in between is locked only in its newest version,
whose `xmin` is another, so that it is left (manual, section 13.2.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from ..key import literals, names
from ..table import equal
from .find import WORK, Work, assignments
from .journal import Images
from .record import UpgradeRecord

NUMBER, LOCKED, CHANGED, AFTER = (
    sql.Identifier(name) for name in ("vaccine number", "vaccine locked", "vaccine changed", "vaccine after")
)


@dataclass(frozen=True)
class BatchParts:
    """Parts of the statement of one batch. `lock` is how it locks its rows."""

    work: Work
    images: Images
    record: UpgradeRecord
    lock: sql.SQL

    def number_part(self) -> sql.Composed:
        """The batch's number, drawn once."""
        return sql.SQL("{} AS MATERIALIZED (\nSELECT pg_catalog.nextval('vaccine.journal_batch_seq') AS {}\n)").format(
            NUMBER, self.images.batch
        )

    def locked_rows(self, after: sql.Composable, last: sql.Composable, old: sql.Composable) -> sql.Composed:
        """The rows with `old`, numbered; the place in the batch counts only those that were locked."""
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
            old=old,
            work=WORK,
            source=table.source,
            excess=equal("t", table.primary_key, "w", work.excess),
            survivor=equal("s", table.primary_key, "w", work.survivor),
            n=self._n,
            after=after,
            last=last,
            lock=self.lock,
        )

    def update(self, rows: sql.Composable, returning: sql.Composable) -> sql.Composed:
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
            returning=returning,
        )

    def old_images(self, rows: sql.Identifier, columns: tuple[str, ...]) -> sql.Composed:
        """The old images; `columns` of `rows` hold them."""
        return self.write_images(rows, "before", names(columns, "r"))

    def write_images(self, rows: sql.Identifier, image: str, values: sql.Composable) -> sql.Composed:
        """Images of `rows`, which go by `r`."""
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
            values=values,
            rows=rows,
        )

    def note(self, rows: sql.Identifier, shared: tuple[str, ...], left_at: sql.Composable) -> sql.Composed:
        """The journal's row, of the rows that are `rows`."""
        key, policy = self.work.key, self.work.policy
        values = (key.schema, key.table, list(key.columns), key.where, self.images.name, list(shared))
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
            left_at=left_at,
            excess=texts(self.work.excess, "r"),
            survivor=texts(self.work.survivor, "r"),
            place=self._place,
            rows=rows,
        )

    def count(self, rows: sql.Identifier) -> sql.Composed:
        """The record of the upgrade, which counts these rows."""
        return self.record.count(sql.SQL("(SELECT count(*) FROM {})").format(rows))

    def of_row(self, columns: tuple[str, ...]) -> sql.Composable:
        """These columns of the row that an UPDATE takes from its FROM."""
        return sql.SQL(", ").join(sql.SQL("{}.{}").format(self._row, sql.Identifier(name)) for name in columns)

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
    def _place(self) -> sql.Identifier:
        return sql.Identifier(self.images.meta[1])


def texts(columns: tuple[str, ...], alias: str) -> sql.Composable:
    """A primary key in the columns of `alias`, as an array of text."""
    each = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(alias, column)) for column in columns)
    return sql.SQL("ARRAY[{}]").format(each)
