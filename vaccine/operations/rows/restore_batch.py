"""The statements of a restore, all composed here: one batch, or chosen rows of it, put back in one statement.

The statement locks the rows that are still as Vaccine left them, which record_image_eq tells byte for byte (manual,
section 9.25.6), puts the old values back and returns which. What is not as it was left is not touched. `plain` is for
tables where nothing interferes with an UPDATE: a row is then its old image, and the statement writes the journal too.
`watched` compares each row with its old image as the UPDATE returned it; `reread` does so once triggers that fire late
and deferred constraints have had their say. Rows are looked for where the batch left them (`left_at`), as long as they
are there: nothing but a rewrite of the table moves a row that nobody updates (manual, section 5.6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from ..table import TargetTable, equal
from .journal import Images, NewImages

SAME, RESTORED = sql.Identifier("vaccine same"), sql.Identifier("vaccine restored")

PLAIN = """WITH {same} AS MATERIALIZED (
{same_rows}
), {restored} AS (
{update}
), "vaccine left" AS MATERIALIZED (
SELECT count(*) AS rows, CASE WHEN count(*) = {last} - {after} THEN '{{}}'::integer[]
ELSE ARRAY(SELECT n FROM pg_catalog.generate_series({after} + 1, {last}) AS g (n)
EXCEPT SELECT {place} FROM {restored} ORDER BY 1) END AS places
FROM {restored}
), "vaccine noted" AS (
UPDATE vaccine.journal AS j SET restored_count = j.restored_count + l.rows, restore_cursor = {last},
skipped_rows = j.skipped_rows || l.places, restored_at = pg_catalog.clock_timestamp(),
outcome = CASE WHEN {last} >= j.row_count AND pg_catalog.cardinality(j.skipped_rows || l.places) = 0
THEN 'restored' ELSE 'restoring' END
FROM "vaccine left" AS l WHERE j.batch = {batch}
)
SELECT l.rows, l.places FROM "vaccine left" AS l"""

WATCHED = """WITH {same} AS MATERIALIZED (
{same_rows}
), {restored} AS (
{update}
)
SELECT ARRAY(SELECT {place} FROM {same}),
ARRAY(SELECT {place} FROM {same} EXCEPT SELECT {place} FROM {restored}), {verdict}
FROM {restored} AS r"""

# What a comparison found: the columns that differ, the rows that do, those that differ in what was assigned.
VERDICT = """ARRAY(SELECT DISTINCT u.name FROM {rows} AS o, pg_catalog.unnest(o.{astray}) AS u (name) ORDER BY 1),
coalesce(pg_catalog.array_agg(r.{place}) FILTER (WHERE r.{astray} <> '{{}}'), '{{}}'),
coalesce(pg_catalog.array_agg(r.{place}) FILTER (WHERE r.{astray} && {assigned}::text[]), '{{}}')"""

REREAD = """WITH {restored} AS (
SELECT b.{place}, CASE WHEN t.ctid IS NULL THEN {assigned}::text[] ELSE {astray_columns} END AS {astray}
FROM {images} AS b LEFT JOIN {source} AS t ON {joined}
WHERE b.{number} = {batch} AND b.{image} = 'before' AND b.{place} = ANY ({places})
)
SELECT {places}, '{{}}'::integer[], {verdict}
FROM {restored} AS r"""

AGAIN = """WITH {restored} AS (
UPDATE {source} AS t SET {sets}
FROM {images} AS b
WHERE {joined} AND b.{number} = {batch} AND b.{image} = 'before' AND b.{place} = ANY ({places})
RETURNING b.{place}, {astray_columns} AS {astray}
)
SELECT ARRAY(SELECT {place} FROM {restored}), '{{}}'::integer[], {verdict}
FROM {restored} AS r"""

# Taken out of line once, not for each row.
AT = "t.ctid = (SELECT j.left_at || '{{}}'::tid[] FROM vaccine.journal AS j WHERE j.batch = {batch})[b.{place}]"

NEW = """
JOIN {images} AS a ON a.{number} = b.{number} AND a.{place} = b.{place} AND a.{image} = 'after'
"""
NO_LOCK = sql.SQL("")
Column = Callable[[str], sql.Composable]  # a column's name to its value


@dataclass(frozen=True)
class RestoreParts:
    """Composes the statements of one batch; `columns` are those that they set.

    `shared`: the batch set these columns to one value and no other, so that only its first row has a new image; `known`
    has those values where that image is lost. `at`: rows are found where the batch left them, not by their primary key.
    `guarded`: rows whose images differ in other columns than these are passed by.
    """

    images: Images
    columns: Sequence[str]
    batch: sql.Composable
    shared: Sequence[str] = ()
    known: Mapping[str, sql.Composable] = field(default_factory=dict)
    at: bool = False
    guarded: bool = False

    def plain(self, after: sql.Composable, last: sql.Composable, lock: sql.Composable) -> sql.Composed:
        """The places `after` < n <= `last`. It returns how many rows it restored, and the places left."""
        return sql.SQL(PLAIN).format(
            same=SAME, restored=RESTORED, after=after, last=last, place=self._place, batch=self.batch,
            same_rows=self.same_rows(self.between(after, last), self.columns, locking(lock, skip=True)),
            update=self._update(self.columns, sql.SQL("{}.{}").format(self._row, self._place)),
        )  # fmt: skip

    def watched(
        self, chosen: sql.Composable, assigned: Sequence[str], lock: sql.Composable, *, late: bool = False
    ) -> sql.Composed:
        """Chosen places, compared as they were put back; with `late` not yet: `reread` does.

        It returns the places that were as left, those of them that no row came back of, and the verdict on the others.
        """
        table = self.images.table
        relation = table.relation
        carried = self.columns if late else table.compared
        old = dict(_renamed(table, carried, "vaccine_c"))

        def new(name: str) -> sql.Composable:
            return sql.SQL("{}.{}").format(relation, sql.Identifier(name))

        astray: sql.Composable = sql.SQL("'{}'::text[]")
        if not late:
            astray = self._astray(new, lambda name: sql.SQL("{}.{}").format(self._row, old[name]))
        return sql.SQL(WATCHED).format(
            same=SAME, restored=RESTORED, place=self._place,
            same_rows=self.same_rows(chosen, carried, lock),
            update=self._update(
                carried, sql.SQL("{}.{}, {} AS {}").format(self._row, self._place, astray, self._astray_name)
            ),
            verdict=self._verdict(RESTORED, assigned),
        )  # fmt: skip

    def reread(self, places: sql.Composable, assigned: Sequence[str]) -> sql.Composed:
        """The same verdict on rows as they are now; one that is gone differs in what was assigned."""
        astray = self._astray(lambda name: sql.Identifier("t", name), self.images.old)
        return sql.SQL(REREAD).format(
            restored=RESTORED, astray_columns=astray, verdict=self._verdict(RESTORED, assigned),
            assigned=sql.Literal(list(assigned)), **self._common(places),
        )  # fmt: skip

    def again(self, places: sql.Composable, columns: Sequence[str], assigned: Sequence[str]) -> sql.Composed:
        """The old values of these columns once more, whatever the rows hold, and the verdict."""
        astray = self._astray(lambda name: sql.Identifier("t", name), self.images.old)
        return sql.SQL(AGAIN).format(
            restored=RESTORED, sets=self._sets(columns), astray_columns=astray,
            verdict=self._verdict(RESTORED, assigned), **self._common(places),
        )  # fmt: skip

    def alone(self, places: sql.Composable) -> sql.Composed:
        """The UPDATE by itself: a rule may not apply to one in WITH (0A000)."""
        common = self._common(places)
        return sql.SQL(
            "UPDATE {source} AS t SET {sets} FROM {images} AS b WHERE {joined} AND b.{number} = {batch}"
            " AND b.{image} = 'before' AND b.{place} = ANY ({places})"
        ).format(sets=self._sets(self.columns), **common)

    def as_left(self, chosen: sql.Composable, lock: sql.Composable = NO_LOCK) -> sql.Composed:
        """The chosen places whose rows are as they were left, in an array."""
        return sql.SQL("SELECT ARRAY(SELECT s.{place} FROM ({rows}) AS s)").format(
            place=self._place, rows=self.same_rows(chosen, (), lock)
        )

    def there(self, chosen: sql.Composable, lock: sql.Composable) -> sql.Composed:
        """The chosen places whose rows are there, whatever they hold; locked."""
        table, (number, place, image) = self.images.table, map(sql.Identifier, self.images.meta)
        return sql.SQL(
            "SELECT b.{place} FROM {images} AS b JOIN {source} AS t ON {joined}"
            " WHERE b.{number} = {batch} AND b.{image} = 'before' AND {chosen} ORDER BY b.{place} {lock}"
        ).format(
            place=place, images=self.images.relation, source=table.source, number=number, batch=self.batch,
            image=image, chosen=chosen, lock=lock, joined=equal("t", table.primary_key, "b", table.primary_key),
        )  # fmt: skip

    def same_rows(self, chosen: sql.Composable, old: Sequence[str], lock: sql.Composable) -> sql.Composed:
        """The chosen rows that are as they were left: place, ctid, the old values of `old`, the primary key."""
        table, (number, place, image) = self.images.table, map(sql.Identifier, self.images.meta)
        found = [
            sql.SQL("{} AS {}").format(self.images.old(name), alias)
            for name, alias in _renamed(table, old, "vaccine_c")
        ]
        keys = _renamed(table, table.primary_key, "vaccine_p")
        found += [sql.SQL("t.{} AS {}").format(sql.Identifier(name), alias) for name, alias in keys]
        joined = equal("t", table.primary_key, "b", table.primary_key)
        if self.at:
            joined = sql.SQL("{} AND {}").format(sql.SQL(AT).format(batch=self.batch, place=place), joined)
        new: sql.Composable = sql.SQL("")
        if not self.shared:
            new = sql.SQL(NEW).format(images=self.images.relation, number=number, place=place, image=image)
        return sql.SQL(
            "SELECT b.{place}, t.ctid AS {ctid}, {found}\nFROM {images} AS b {new}JOIN {source} AS t ON {joined}\n"
            "WHERE b.{number} = {batch} AND {chosen} AND b.{image} = 'before'\nAND {same_row}\n"
            "ORDER BY b.{place} {lock}"
        ).format(
            place=place, ctid=self._ctid, found=sql.SQL(", ").join(found), images=self.images.relation, new=new,
            source=table.source, joined=joined, number=number, batch=self.batch, chosen=chosen, image=image,
            same_row=self._same_row(), lock=lock,
        )  # fmt: skip

    def between(self, after: sql.Composable, last: sql.Composable) -> sql.Composed:
        """The places `after` < n <= `last`."""
        return sql.SQL("b.{place} > {after} AND b.{place} <= {last}").format(place=self._place, after=after, last=last)

    def any_of(self, places: sql.Composable) -> sql.Composed:
        """These places."""
        return sql.SQL("b.{} = ANY ({})").format(self._place, places)

    def _same_row(self) -> sql.Composed:
        """Whether the table's row `t` is as it was left; where guarded, too, that images differ in `columns` alone."""
        table = self.images.table
        if self.shared:
            new = NewImages(self.images.relation, self.images.meta, table.compared, self.shared, self.batch, self.known)
            left = [self.images.fitted(name, new.value(name)) for name in table.compared]
            return image_equal([sql.Identifier("t", name) for name in table.compared], left)
        same = image_equal(
            [sql.Identifier("t", name) for name in table.compared],
            [self.images.old(name, "a") for name in table.compared],
        )
        others = [name for name in table.compared if name in table.settable and name not in self.columns]
        if not (others and self.guarded):
            return same
        both = image_equal(*([sql.Identifier(alias, name) for name in others] for alias in ("b", "a")))
        return sql.SQL("{} AND {}").format(same, both)

    def _update(self, carried: Sequence[str], returning: sql.Composable) -> sql.Composed:
        """The UPDATE of the rows of `same_rows`, which carry the old values of some columns."""
        table, row = self.images.table, self._row
        old = dict(_renamed(table, carried, "vaccine_c"))
        sets = [sql.SQL("{} = {}.{}").format(sql.Identifier(name), row, old[name]) for name in self.columns]
        by_key = [
            sql.SQL("{}.{} = {}.{}").format(table.relation, sql.Identifier(name), row, alias)
            for name, alias in _renamed(table, table.primary_key, "vaccine_p")
        ]
        return sql.SQL(
            "UPDATE {source} SET {sets}\nFROM {same} AS {row}\nWHERE {relation}.ctid = {row}.{ctid} AND {by_key}\n"
            "RETURNING {returning}"
        ).format(
            source=table.source, sets=sql.SQL(", ").join(sets), same=SAME, row=row, relation=table.relation,
            ctid=self._ctid, by_key=sql.SQL(" AND ").join(by_key), returning=returning,
        )  # fmt: skip

    def _sets(self, columns: Sequence[str]) -> sql.Composed:
        """Columns set to their old values, beside the old image `b`."""
        pairs = [sql.SQL("{} = {}").format(sql.Identifier(name), self.images.old(name)) for name in columns]
        return sql.SQL(", ").join(pairs)

    def _astray(self, new: Column, old: Column) -> sql.Composed:
        """The names of the columns in which a row is not its old image."""
        compared = self.images.table.compared
        each = [
            sql.SQL("CASE WHEN NOT {} THEN {} END").format(image_equal([new(name)], [old(name)]), sql.Literal(name))
            for name in compared
        ]
        return sql.SQL(
            "CASE WHEN {whole} THEN '{{}}'::text[] ELSE pg_catalog.array_remove(ARRAY[{each}]::text[], NULL) END"
        ).format(
            whole=image_equal([new(name) for name in compared], [old(name) for name in compared]),
            each=sql.SQL(", ").join(each),
        )

    def _verdict(self, rows: sql.Identifier, assigned: Sequence[str]) -> sql.Composed:
        names_of = sql.Literal(list(assigned))
        return sql.SQL(VERDICT).format(rows=rows, place=self._place, astray=self._astray_name, assigned=names_of)

    def _common(self, places: sql.Composable) -> dict[str, sql.Composable]:
        """What the statements that look rows up by place have in common."""
        table, (number, place, image) = self.images.table, map(sql.Identifier, self.images.meta)
        joined = equal("t", table.primary_key, "b", table.primary_key)
        return {
            "images": self.images.relation, "source": table.source, "number": number, "place": place, "image": image,
            "batch": self.batch, "places": places, "joined": joined, "astray": self._astray_name,
        }  # fmt: skip

    @property
    def _place(self) -> sql.Identifier:
        return sql.Identifier(self.images.meta[1])

    @property
    def _row(self) -> sql.Identifier:
        return self.images.table.alias("vaccine row")

    @property
    def _ctid(self) -> sql.Identifier:
        return sql.Identifier(self.images.table.free("vaccine_ctid"))

    @property
    def _astray_name(self) -> sql.Identifier:
        return sql.Identifier(self.images.table.free("vaccine_astray"))


def image_equal(left: Sequence[sql.Composable], right: Sequence[sql.Composable]) -> sql.Composed:
    """Whether values agree byte for byte."""
    both = (sql.SQL(", ").join(side) for side in (left, right))
    return sql.SQL("pg_catalog.record_image_eq(ROW({}), ROW({}))").format(*both)


def _renamed(table: TargetTable, columns: Sequence[str], prefix: str) -> list[tuple[str, sql.Identifier]]:
    """Columns, each with a name of ours that no column of the table has."""
    return [(name, sql.Identifier(table.free(f"{prefix}{number}"))) for number, name in enumerate(columns)]


def locking(lock: sql.Composable, *, skip: bool) -> sql.Composed:
    """The lock that rows are taken with; `skip` passes those by that another session holds."""
    return sql.SQL("{} OF t{}").format(lock, sql.SQL(" SKIP LOCKED" if skip else ""))
