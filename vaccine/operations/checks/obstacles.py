"""What of the table would refuse old values, asked of the catalog and the images: no row is locked or changed.

NOT NULL, CHECK (NOT VALID too), foreign keys, and unique indexes other than the one that is to be dropped. Triggers
and rules say nothing of themselves: `trial_back` tries those out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from ..key import names, raw
from ..rows.journal import Images
from ..rows.restored import SHOWN, named
from ..rows.restorer import Restorer
from ..table import TargetTable, equal

Row = tuple[int, int]  # batch and place

CHECKS = """
SELECT c.conname::text, pg_catalog.pg_get_expr(c.conbin, c.conrelid),
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
              WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey))
  FROM pg_catalog.pg_constraint AS c
 WHERE c.conrelid = %(table)s AND c.contype = 'c'
   AND (%(code)s OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                                 WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid = c.oid
                                   AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
                                                        'pg_catalog.pg_operator'::pg_catalog.regclass)))
   AND pg_catalog.to_jsonb(c) ->> 'conenforced' IS DISTINCT FROM 'false'
 ORDER BY c.conname
"""

NOT_NULL = """
SELECT attname::text FROM pg_catalog.pg_attribute
 WHERE attrelid = %s AND attnum > 0 AND attnotnull AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""

FOREIGN_KEYS = """
SELECT c.conname::text, n.nspname::text, r.relname::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY k.place),
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.attnum ORDER BY k.place)
  FROM pg_catalog.pg_constraint AS c
  JOIN pg_catalog.pg_class AS r ON r.oid = c.confrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
 WHERE c.conrelid = %s AND c.contype = 'f' AND pg_catalog.to_jsonb(c) ->> 'conenforced' IS DISTINCT FROM 'false'
 ORDER BY c.conname
"""

# Of those that a column which is set back has a part in; of an expression or a predicate that is not known.
UNIQUE = """
SELECT i.relname::text, pg_catalog.pg_get_expr(x.indpred, x.indrelid),
       ARRAY(SELECT pg_catalog.pg_get_indexdef(x.indexrelid, g.n, FALSE)
               FROM pg_catalog.generate_series(1, x.indnkeyatts) AS g (n) ORDER BY g.n),
       pg_catalog.to_jsonb(x) ->> 'indnullsnotdistinct' = 'true'
  FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
 WHERE x.indrelid = %(table)s AND x.indisunique AND x.indisready AND x.indislive AND i.relname <> %(ours)s
   AND (%(code)s OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                                 WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.oid
                                   AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
                                                        'pg_catalog.pg_operator'::pg_catalog.regclass)))
   AND (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL
        OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                    WHERE a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey::int2[]) AND a.attname = ANY (%(set)s)))
 ORDER BY i.relname
"""


@dataclass(frozen=True)
class Obstacle:
    """Why rows would not go back, and which. `tried` is how many were tried, where not all were asked about."""

    why: str
    rows: Sequence[Row]
    tried: int | None = None

    def told(self, connection: psycopg.Connection) -> str:
        """In words, the first rows by their primary keys."""
        keys = named(connection, list(self.rows[:SHOWN]))
        shown = ", ".join(keys[row] for row in self.rows[:SHOWN] if row in keys)
        shown += ", …" if len(self.rows) > SHOWN else ""
        count = f"{len(self.rows)} row{'' if len(self.rows) == 1 else 's'}"
        of = f" of {self.tried} that were tried, one a group" if self.tried is not None else ""
        return f"{count}{of} (primary key {shown}): {self.why}"


@dataclass(frozen=True)
class Refusal:
    """One thing that may refuse a row: `refuses` is SQL over the row as it would be restored, by the table's name."""

    why: str
    refuses: sql.Composable
    columns: frozenset[str] = field(default_factory=frozenset)


def obstacles(
    connection: psycopg.Connection,
    table: TargetTable,
    some: Sequence[Restorer],
    index: str | None,
    *,
    code: bool = True,
) -> list[Obstacle]:
    """What would refuse which rows of these batches; `index` is the one that goes before they come. Reads only.

    `code`: constraints and indexes that call functions of people are asked too, as the restore itself would.
    """
    found = []
    for images in {id(each.images): each.images for each in some}.values():
        batches = [each for each in some if each.images is images]
        as_left = _AsLeft(batches)
        of = _Batches(table, images, batches, code)
        met: list[tuple[str, list[Row]]] = _refused(connection, of)
        met += _collisions(connection, of, index or "", as_left)
        found += [Obstacle(why, rows) for why, hit in met if (rows := as_left.among(hit))]
    return found


@dataclass(frozen=True)
class _Batches:
    """Batches of one image table, and the user's table as it is now."""

    table: TargetTable
    images: Images
    batches: Sequence[Restorer]
    code: bool

    @property
    def assigned(self) -> set[str]:
        return {name for each in self.batches for name in each.assigned}


@dataclass
class _AsLeft:
    """The rows of some batches that are as they were left, asked of each batch once: others keep their edit."""

    batches: Sequence[Restorer]
    found: dict[int, set[int]] = field(default_factory=dict)

    def of(self, restorer: Restorer) -> set[int]:
        if restorer.batch not in self.found:
            self.found[restorer.batch] = set(restorer.as_left())
        return self.found[restorer.batch]

    def among(self, rows: Iterable[Row]) -> list[Row]:
        known = {each.batch: each for each in self.batches}
        return sorted((batch, place) for batch, place in rows if place in self.of(known[batch]))

    def all(self) -> list[Row]:
        return [(each.batch, place) for each in self.batches for place in sorted(self.of(each))]


def _refused(connection: psycopg.Connection, of: _Batches) -> list[tuple[str, list[Row]]]:
    rules = _rules(connection, of)
    try:
        return _asked(connection, of, rules)
    except psycopg.Error:
        found = []
        for rule in rules:  # one that cannot be asked (a function in it may raise) must not silence the others
            with suppress(psycopg.Error):
                found += _asked(connection, of, [rule])
        return found


def _rules(connection: psycopg.Connection, of: _Batches) -> list[Refusal]:
    rules, table, images, assigned = [], of.table, of.images, of.assigned
    for name, expression, columns in connection.execute(CHECKS, {"table": table.oid, "code": of.code}).fetchall():
        refuses = sql.SQL("({}) IS FALSE").format(raw(expression))
        rules.append(Refusal(f"the check constraint {name} refuses it", refuses, frozenset(columns)))
    for (name,) in connection.execute(NOT_NULL, (table.oid,)).fetchall():
        if name in images.table.settable:
            refuses = sql.SQL("{}.{} IS NULL").format(sql.Identifier(table.name), sql.Identifier(name))
            rules.append(
                Refusal(f"column {name} is NOT NULL now, and the old value is NULL", refuses, frozenset([name]))
            )
    for name, schema, referred, own, theirs in connection.execute(FOREIGN_KEYS, (table.oid,)).fetchall():
        if not set(own) & assigned:
            continue
        alias = "vaccine referred" if table.name != "vaccine referred" else "vaccine referred_"
        there = sql.SQL(
            "pg_catalog.num_nulls({own}) = 0 AND NOT EXISTS (SELECT FROM {referred} AS {alias} WHERE {same})"
        ).format(
            own=names(own, table.name), referred=sql.Identifier(schema, referred), alias=sql.Identifier(alias),
            same=equal(alias, tuple(theirs), table.name, tuple(own)),
        )  # fmt: skip
        rules.append(Refusal(f"the foreign key {name} finds no row in {schema}.{referred}", there, frozenset(own)))
    return rules


def _asked(connection: psycopg.Connection, of: _Batches, rules: Sequence[Refusal]) -> list[tuple[str, list[Row]]]:
    table, images, batches = of.table, of.images, of.batches
    if not rules:
        return []
    joined = any(not rule.columns <= set(images.table.names) for rule in rules)
    number, place = map(sql.Identifier, images.meta[:2])
    met = sql.SQL(", ").join(
        sql.SQL("CASE WHEN {} THEN {}::integer END").format(rule.refuses, sql.Literal(n))
        for n, rule in enumerate(rules)
    )
    statement = sql.SQL(
        "SELECT {number}, {place}, pg_catalog.array_remove(ARRAY[{met}], NULL) FROM {rows} WHERE {any}"
    ).format(
        number=number, place=place, met=met,
        rows=_as_restored(table, images, batches, joined=joined),
        any=sql.SQL(" OR ").join(sql.SQL("({})").format(rule.refuses) for rule in rules),
    )  # fmt: skip
    with connection.transaction():
        rows = connection.execute(statement).fetchall()
    pending = {each.batch: set(each.pending) for each in batches}
    found: dict[int, list[Row]] = {}
    for batch, at, which in rows:
        if at in pending[batch]:
            for n in which:
                found.setdefault(n, []).append((batch, at))
    return [(rules[n].why, hit) for n, hit in sorted(found.items())]


def _collisions(
    connection: psycopg.Connection, of: _Batches, ours: str, as_left: _AsLeft
) -> list[tuple[str, list[Row]]]:
    asked = {"table": of.table.oid, "ours": ours, "set": sorted(of.assigned), "code": of.code}
    found = []
    for name, predicate, keys, nulls in connection.execute(UNIQUE, asked).fetchall():
        statement = _collision(of, predicate, keys, as_left.all(), nulls=nulls)
        with suppress(psycopg.Error):  # an expression may fail on old values: then the restore tells
            with connection.transaction():
                rows = connection.execute(statement).fetchall()
            if rows:
                found.append((f"the unique index {name} holds another row with its key", [(r[0], r[1]) for r in rows]))
    return found


def _collision(
    of: _Batches, predicate: str | None, keys: Sequence[str], rows: Sequence[Row], *, nulls: bool
) -> sql.Composed:
    """The rows that would share their key with one another, or with a row that is not among them."""
    table, images, batches = of.table, of.images, of.batches
    number, place = map(sql.Identifier, images.meta[:2])
    back = sql.Identifier("vaccine back" if table.name != "vaccine back" else "vaccine back_")
    own = [sql.Identifier(table.free(f"vaccine_k{n}")) for n, _ in enumerate(keys)]
    primary = [sql.Identifier(table.free(f"vaccine_p{n}")) for n, _ in enumerate(images.table.primary_key)]
    expressions = [sql.SQL("({})").format(raw(key)) for key in keys]
    live = raw(f"({predicate})") if predicate else sql.SQL("TRUE")
    here = sql.Identifier(table.name)
    same = sql.SQL(" IS NOT DISTINCT FROM " if nulls else " = ")
    columns = [
        *(sql.SQL("{} AS {}").format(each, alias) for each, alias in zip(expressions, own, strict=True)),
        *(
            sql.SQL("{}.{} AS {}").format(here, sql.Identifier(name), alias)
            for name, alias in zip(images.table.primary_key, primary, strict=True)
        ),
    ]
    return sql.SQL(
        "WITH {back} AS MATERIALIZED (SELECT {number}, {place}, {columns} FROM {rows} WHERE {live}"
        " AND ({number}, {place}) IN (SELECT * FROM ROWS FROM (pg_catalog.unnest({batches}::bigint[]),"
        " pg_catalog.unnest({places}::integer[]))))"
        " SELECT r.{number}, r.{place} FROM {back} AS r WHERE EXISTS (SELECT FROM {back} AS o WHERE {twice}"
        " AND (o.{number}, o.{place}) <> (r.{number}, r.{place}))"
        " OR EXISTS (SELECT FROM {source} AS {here} WHERE {live} AND {met}"
        " AND NOT EXISTS (SELECT FROM {back} AS o WHERE {moved}))"
    ).format(
        back=back, number=number, place=place, columns=sql.SQL(", ").join(columns), live=live, here=here,
        rows=_as_restored(table, images, batches, joined=True), source=table.source,
        batches=sql.Literal([row[0] for row in rows]), places=sql.Literal([row[1] for row in rows]),
        twice=sql.SQL(" AND ").join(sql.SQL("o.{0}{1}r.{0}").format(alias, same) for alias in own),
        met=sql.SQL(" AND ").join(
            sql.SQL("{}{}r.{}").format(each, same, alias) for each, alias in zip(expressions, own, strict=True)
        ),
        moved=sql.SQL(" AND ").join(
            sql.SQL("o.{} = {}.{}").format(alias, here, sql.Identifier(name))
            for name, alias in zip(images.table.primary_key, primary, strict=True)
        ),
    )  # fmt: skip


def _as_restored(table: TargetTable, images: Images, batches: Sequence[Restorer], *, joined: bool) -> sql.Composed:
    """The rows of these batches as they would be, by the table's name; columns that came since only where joined."""
    number, place, image = map(sql.Identifier, images.meta)
    held = set(images.table.names)
    columns = [
        sql.SQL("{} AS {}").format(
            images.old(name) if name in held else sql.Identifier("t", name), sql.Identifier(name)
        )
        for name in table.names
        if name in held or joined
    ]
    join: sql.Composable = sql.SQL("")
    if joined:
        key = images.table.primary_key
        join = sql.SQL(" JOIN {} AS t ON {}").format(table.source, equal("t", key, "b", key))
    return sql.SQL(
        "(SELECT b.{number}, b.{place}, {columns} FROM {images} AS b{join}"
        " WHERE b.{number} = ANY ({batches}::bigint[]) AND b.{image} = 'before') AS {alias}"
    ).format(
        number=number, place=place, columns=sql.SQL(", ").join(columns), images=images.relation, join=join,
        batches=sql.Literal([each.batch for each in batches]), image=image, alias=sql.Identifier(table.name),
    )  # fmt: skip
