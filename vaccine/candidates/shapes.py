"""What each column of a table is, as far as a key is concerned: a reference, a code, a flag, a measure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from vaccine.candidates.words import family_of, is_actor, is_external, stem, stems_of, words_of
from vaccine.catalog.model import Catalog, Column, Table

NEVER = frozenset(("json", "many", "vector", "float"))
Target = tuple[str, str]  # (schema, table); in a shape the table's own schema is "", so that tenants' tables look alike
SELF: Target = ("", "")


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """One column as a possible member of a key.

    `what` is its part: ref, self ref, actor ref, shared id, surrogate, uuid, external, flag, time, …
    or the family of its name. `target` is the table that it references, seen from the table's schema,
    also where only the name says so.
    """

    name: str
    what: str
    type: str  # text, int, uuid, bool, time, date, enum, bytes, net, …
    not_null: bool
    number: int  # its place in the table, from 0; dropped columns leave no hole
    target: Target | None = None
    declared: bool = False
    constant: bool = False  # the default is one value for all rows

    @property
    def is_ref(self) -> bool:
        """True for a reference to another row."""
        return self.target is not None


@dataclass(frozen=True)
class TableShape:
    """One table as a place for keys; `columns` in table order without those of a surrogate primary key.

    One shape serves all tables that look alike; `table` is the first of them: its name and schema are its own.
    """

    table: Table
    stems: tuple[str, ...]
    columns: tuple[ColumnShape, ...]
    primary: frozenset[str]
    pk: str  # surrogate, natural, composite, reference, none
    refs: tuple[ColumnShape, ...]
    items: tuple[ColumnShape, ...]
    declared: int  # foreign keys of one column
    leading: int  # of these, how many lead an index


_TYPES = (
    ("character varying", "text"), ("character", "text"), ("text", "text"), ("citext", "text"), ('"char"', "text"),
    ("name", "text"), ("bigint", "int"), ("integer", "int"), ("smallint", "int"), ("uuid", "uuid"),
    ("boolean", "bool"), ("timestamp", "time"), ("date", "date"), ("time", "time"), ("interval", "float"),
    ("numeric", "number"), ("double", "float"), ("real", "float"), ("money", "float"), ("json", "json"),
    ("bytea", "bytes"), ("inet", "net"), ("cidr", "net"), ("macaddr", "net"), ("tsvector", "vector"), ("xml", "json"),
)  # fmt: skip


@lru_cache(maxsize=4096)
def type_of(declared: str, category: str) -> str:
    """A short word for a type: text, int, uuid, bool, time, date, number, json, enum, many, other and so on."""
    if declared.endswith("[]") or category == "A":
        return "many"
    if category == "E":
        return "enum"
    for start, short in _TYPES:
        if declared.startswith(start):
            return short
    if category == "S":
        return "text"
    return "other"


class Names:
    """Which table a column's name points to: user_id → users, tb_user or app.user; built once for a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._full: dict[str, Target] = {}
        self._tail: dict[str, Target] = {}
        self._near: dict[tuple[str, str], Target] = {}
        self._found: dict[tuple[str, str], Target | None] = {}
        for table in catalog.tables:
            if table.partition_of:
                continue
            stems = stems_of(table.name)
            spot = (table.schema, table.name)
            self._full.setdefault("".join(stems), spot)
            self._near.setdefault((table.schema, "".join(stems)), spot)
            if len(stems) == 2:
                self._tail.setdefault(stems[1], spot)

    def target(self, schema: str, name: str) -> Target | None:
        """The table that `name` (such as user_id, userId, user_uuid) points to from `schema`, else None."""
        if (schema, name) not in self._found:
            self._found[schema, name] = self._look_up(schema, name)
        return self._found[schema, name]

    def _look_up(self, schema: str, name: str) -> Target | None:
        words = words_of(name)
        if len(words) < 2 or words[-1] not in ("id", "uuid", "uid", "guid"):
            return None
        head = [stem(word) for word in words[:-1]]
        for start in range(len(head)):
            text = "".join(head[start:])
            spot = self._near.get((schema, text)) or self._full.get(text)
            if spot is not None:
                return spot
        return self._tail.get("".join(head))


class Shapes:
    """The shapes of a catalog's tables; tables that look alike share one."""

    def __init__(self, catalog: Catalog) -> None:
        self.shared = Counter(column.name for table in catalog.tables for column in table.columns)
        self._names = Names(catalog)
        self._known: dict[object, TableShape] = {}

    def of(self, table: Table) -> TableShape:
        """The table's shape, by what it looks like."""
        targets = self._targets(table)
        looks = likeness(table, targets)
        shape = self._known.get(looks)
        if shape is None:
            shape = self._known[looks] = table_shape(table, targets, self.shared)
        return shape

    def _targets(self, table: Table) -> tuple[Target | None, ...]:
        """What each column references, by a foreign key or else by its name."""
        declared: dict[str, Target] = {}
        for key in sorted(table.foreign_keys, key=lambda key: -len(key.columns)):  # one column's own key comes last
            declared.update(dict.fromkeys(key.columns, (key.ref_schema, key.ref_table)))
        found = []
        for column in table.columns:
            target = declared.get(column.name) or self._names.target(table.schema, column.name)
            found.append(target and relative(target, table))
        return tuple(found)


def relative(spot: Target, table: Table) -> Target:
    """A table as `table` sees it: SELF, or without the schema where that is its own."""
    if spot[0] != table.schema:
        return spot
    return SELF if spot[1] == table.name else ("", spot[1])


def likeness(table: Table, targets: tuple[Target | None, ...]) -> object:
    """Equal for two tables of which all that the judgement of keys reads is equal, given their surroundings."""
    columns = [(c.name, c.type, c.category, c.not_null, c.identity, _default(c), c.enum_labels) for c in table.columns]
    return (
        table_stems(table.name),
        targets,
        tuple(columns),
        tuple([key.columns for key in table.foreign_keys]),
        tuple([
            (i.columns, i.unique, i.primary, i.valid, i.method, i.predicate, i.nulls_not_distinct)
            for i in table.indexes
        ]),
        tuple([check.expression for check in table.checks]),
    )  # fmt: skip


def _default(column: Column) -> str:
    """What a default says: nothing, one value for all rows, a sequence, an expression."""
    default = column.default
    if default is None:
        return ""
    return "constant" if "(" not in default else "sequence" if default.startswith("nextval(") else "expression"


@lru_cache(maxsize=65536)
def table_stems(name: str) -> tuple[str, ...]:
    """The words of a table's name without plurals and without numbers: events_2024_01 → event."""
    stems = stems_of(name)
    return tuple(word for word in stems if not word.isdigit()) or stems


def table_shape(table: Table, targets: tuple[Target | None, ...], shared: dict[str, int]) -> TableShape:
    """The table's columns with their parts; `shared` counts the tables that have a column of a name."""
    declared = {column for key in table.foreign_keys for column in key.columns}
    alone = {key.columns[0] for key in table.foreign_keys if len(key.columns) == 1}
    primary = frozenset(table.primary_key)
    pk = _primary_kind(table, alone)
    columns = tuple(
        _column(column, number, table.name, target, declared=column.name in declared, shared=shared)
        for number, (column, target) in enumerate(zip(table.columns, targets, strict=True))
        if not (pk == "surrogate" and column.name in primary)
    )
    usable = [column for column in columns if column.type not in NEVER]
    return TableShape(
        table,
        table_stems(table.name),
        columns,
        primary,
        pk,
        tuple(column for column in usable if column.is_ref),
        tuple(column for column in usable if not column.is_ref),
        len(alone),
        len(alone & {index.columns[0] for index in table.indexes if index.columns}),
    )


def _primary_kind(table: Table, references: set[str]) -> str:
    if len(table.primary_key) != 1:
        return "composite" if table.primary_key else "none"
    only = table.by_name[table.primary_key[0]]
    kind = type_of(only.type, only.category)
    generated = bool(only.identity or only.default)
    if only.name in references and not generated:
        return "reference"
    return "surrogate" if generated or stem(only.name) == "id" or kind == "uuid" else "natural"


def _column(
    column: Column, number: int, table_name: str, target: Target | None, *, declared: bool, shared: dict[str, int]
) -> ColumnShape:
    kind = type_of(column.type, column.category)
    if not declared and target is not None:
        own = target == SELF and stems_of(column.name)[:-1] == table_stems(table_name)  # user_id in users is its own
        if own or kind not in ("int", "text", "uuid", "number", "bytes") or is_external(column.name):
            target = None
    return ColumnShape(
        column.name,
        _what(column, kind, target, shared),
        kind,
        column.not_null,
        number,
        target,
        declared,
        _default(column) == "constant",
    )


def _what(column: Column, kind: str, target: Target | None, shared: dict[str, int]) -> str:
    name = column.name
    if target is not None:
        return "self ref" if target == SELF else "actor ref" if is_actor(name) else "ref"
    if column.identity or (column.default or "").startswith("nextval("):
        return "surrogate"
    if words_of(name) == ("id",):
        return "plain id"
    return _BY_TYPE.get(kind) or _by_name(name, kind, shared)


_BY_TYPE = {"bool": "flag", "time": "time", "date": "date", "float": "measure"}


def _by_name(name: str, kind: str, shared: dict[str, int]) -> str:
    family = family_of(name)
    external = is_external(name) and family in ("id", "key", "code")
    said = {"id": "shared id" if shared.get(name, 0) >= 3 else "id", "": {"int": "int", "bytes": "bytes"}.get(kind)}
    rules = (
        ("measure", kind == "number" and family not in ("order", "version", "code", "id")),
        ("external", external),
        ("uuid", kind == "uuid" and family != "id"),
        (said["id"], family == "id"),
        ("kind", kind == "enum"),
        (family, family),
        (said[""] or "word", True),
    )
    return next(str(what) for what, holds in rules if holds)
