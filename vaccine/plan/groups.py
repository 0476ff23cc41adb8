"""The duplicate groups of one key: who survives, who goes, and why. Sets and comparisons stay in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from vaccine.audit.finding import Expression, Scalar
from vaccine.catalog.values import as_text, equal_keys
from vaccine.operations.dry import Approved
from vaccine.plan.model import DuplicateGroup, Member
from vaccine.predicates import direction

MEMBERS_SHOWN = 10
BY_HAND = "kept by hand"
LONGEST = 200  # characters of a value that a plan keeps


@dataclass(frozen=True)
class Selection:
    """Which rows are live, by which columns they are the same, and in which order they survive.

    `where` and `survivor` are SQL texts; `keep` are primary keys as text that survive before all others. `left` is the
    table as earlier vaccinations of the plan leave it; None where there are none.
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    where: str | None
    primary_key: tuple[str, ...]
    survivor: tuple[str, ...]
    keep: tuple[tuple[str, ...], ...] = ()
    left: sql.Composable | None = None

    @property
    def source(self) -> sql.Composable:
        """What FROM says."""
        return self.left or sql.Identifier(self.schema, self.table)

    @property
    def live(self) -> sql.Composable:
        """The predicate, and every key column NOT NULL: NULLs are distinct to a unique index (manual, section 11.6)."""
        conditions: list[sql.Composable] = [
            sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in self.columns
        ]
        if self.where:
            conditions.insert(0, sql.SQL(f"({self.where}\n)"))
        return sql.SQL(" AND ").join(conditions)


@dataclass(frozen=True)
class Counted:
    """All groups together; `search_ms` is how long PostgreSQL took to find them, `rows` are what a plan approves."""

    groups: int
    excess_rows: int
    search_ms: int
    rows: Approved = ()


def read_groups(
    connection: psycopg.Connection, of: Selection, columns: tuple[str, ...], limit: int
) -> tuple[DuplicateGroup, ...]:
    """The largest `limit` groups, with at most ten rows of each; `columns` are compared for differences."""
    chosen = tuple(f"vaccine_k{place}" for place, _ in enumerate(of.columns))
    statement = sql.SQL(
        "SELECT vaccine_number, vaccine_key, vaccine_pk, vaccine_order, vaccine_image, vaccine_size FROM ("
        "SELECT vaccine_number, vaccine_size, ARRAY[{keys}]::text[] AS vaccine_key,"
        " ARRAY[{primary_key}]::text[] AS vaccine_pk, ARRAY[{ordering}]::text[] AS vaccine_order,"
        " ARRAY[{image}]::text[] AS vaccine_image,"
        " row_number() OVER (PARTITION BY vaccine_number ORDER BY {kept}{survivor}) AS vaccine_place"
        " FROM {table} JOIN (SELECT {aliases}, count(*) AS vaccine_size,"
        " row_number() OVER (ORDER BY count(*) DESC, {key}) AS vaccine_number"
        " FROM {table} WHERE {live} GROUP BY {key} HAVING count(*) > 1 ORDER BY vaccine_number LIMIT {limit})"
        " AS vaccine_chosen ON {same} WHERE {live}) AS members"
        " WHERE vaccine_place <= {members} ORDER BY vaccine_number, vaccine_place"
    ).format(
        keys=_texts(of.columns),
        primary_key=_texts(of.primary_key),
        key=_names(of.columns),
        aliases=sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(sql.Identifier(name), sql.Identifier(alias))
            for name, alias in zip(of.columns, chosen, strict=True)
        ),
        same=equal_keys(connection.execute, (of.schema, of.table), of.columns, of.table, ("vaccine_chosen", chosen)),
        ordering=sql.SQL(", ").join(as_text(sql.SQL(f"({without_direction(each)}\n)")) for each in of.survivor),
        image=_texts(columns),
        kept=_kept(of),
        survivor=sql.SQL(", ").join(sql.SQL(f"{each}\n") for each in of.survivor),
        table=of.source,
        live=of.live,
        limit=limit,
        members=MEMBERS_SHOWN,
    )
    found: dict[int, tuple[tuple[str, ...], list[_Row]]] = {}  # by number: equal keys may read otherwise (citext)
    for number, key, primary_key, ordering, image, size in connection.execute(statement):
        row = _Row(tuple(primary_key), tuple(ordering), tuple(image), size)
        found.setdefault(number, (tuple(key), []))[1].append(row)
    return tuple(_group(key, rows, of, columns) for key, rows in found.values())


def without_direction(expression: str) -> str:
    """The expression of an ORDER BY item, its ASC, DESC and NULLS left out."""
    return direction(expression)[0]


def _types(connection: psycopg.Connection, of: Selection, names: list[str]) -> list[tuple[str, str]]:
    statement = (
        "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a"
        " WHERE a.attrelid = %s::pg_catalog.regclass AND a.attname = ANY (%s)"
    )
    table = sql.Identifier(of.schema, of.table).as_string(connection)
    return [(name, kind) for name, kind in connection.execute(statement, (table, names))]


def _kept(of: Selection) -> sql.Composable:
    if not of.keep:
        return sql.SQL("")
    rows = sql.SQL(", ").join(sql.SQL("ROW({})").format(sql.SQL(", ").join(map(sql.Literal, key))) for key in of.keep)
    return sql.SQL("CASE WHEN ROW({}) IN ({}) THEN 0 ELSE 1 END, ").format(_texts(of.primary_key), rows)


def _names(columns: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _texts(columns: tuple[str, ...], alias: str | None = None) -> sql.Composable:
    qualified = (sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in columns)
    return sql.SQL(", ").join(map(as_text, qualified))


def _value(of: Scalar | Expression) -> sql.Composable:
    return sql.SQL(f"{of.sql}\n") if isinstance(of, Expression) else sql.Literal(of)


@dataclass(frozen=True)
class _Row:
    """One row as it was read: `image` has the columns that are compared, `size` is that of its group."""

    primary_key: tuple[str, ...]
    order: tuple[str | None, ...]
    image: tuple[str | None, ...]
    size: int


def _group(key: tuple[str, ...], rows: list[_Row], of: Selection, columns: tuple[str, ...]) -> DuplicateGroup:
    places = [
        place
        for place, name in enumerate(columns)
        if name not in of.primary_key and len({row.image[place] for row in rows}) > 1
    ]
    members = [Member(row.primary_key, row.order, tuple(_cut(row.image[place]) for place in places)) for row in rows]
    return DuplicateGroup(
        key=key,
        survivor=members[0],
        excess=tuple(members[1:]),
        reason=_reason(members[0], members[1], of),
        differs=tuple(columns[place] for place in places),
        left_out=rows[0].size - len(rows),
    )


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _reason(survivor: Member, next_best: Member, of: Selection) -> str:
    if survivor.primary_key in of.keep:
        return BY_HAND
    for expression, ours, theirs in zip(of.survivor, survivor.order, next_best.order, strict=True):
        if ours != theirs:
            return f"{expression}: {_shown(ours)} comes before {_shown(theirs)}"
    return "the rows are equal in the survivor order"


def _shown(text: str | None) -> str:
    return "NULL" if text is None else text
