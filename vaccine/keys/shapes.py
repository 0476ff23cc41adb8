"""What each column of a table is, as far as a key is concerned: a reference, a code, a flag, a measure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..catalog import Catalog, Column, Table
from .words import family_of, is_actor, is_external, stem, stems_of, words_of

NEVER = frozenset(("json", "many", "vector", "float"))


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """One column as a possible member of a key.

    `what` is its part: ref, self ref, actor ref, shared id, surrogate, uuid, external, flag, time, …
    or the family of its name. `target` is the table that it references, also where only the name says so.
    """

    name: str
    what: str
    type: str  # text, int, uuid, bool, time, date, enum, bytes, net, …
    not_null: bool
    number: int
    target: tuple[str, str] | None = None
    declared: bool = False
    constant: bool = False  # the default is one value for all rows

    @property
    def is_ref(self) -> bool:
        """True for a reference to another row."""
        return self.target is not None


@dataclass(frozen=True)
class TableShape:
    """One table as a place for keys; `columns` in table order without those of a surrogate primary key."""

    table: Table
    stems: tuple[str, ...]
    columns: tuple[ColumnShape, ...]
    primary: frozenset[str]
    pk: str  # surrogate, natural, composite, none
    refs: tuple[ColumnShape, ...]
    items: tuple[ColumnShape, ...]


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
        self._full: dict[str, tuple[str, str]] = {}
        self._tail: dict[str, tuple[str, str]] = {}
        for table in catalog.tables:
            if table.partition_of:
                continue
            stems = stems_of(table.name)
            spot = (table.schema, table.name)
            self._full.setdefault("".join(stems), spot)
            if len(stems) == 2:
                self._tail.setdefault(stems[1], spot)

    def target(self, name: str) -> tuple[str, str] | None:
        """The table that `name` (such as user_id, userId, user_uuid) points to, else None."""
        words = words_of(name)
        if len(words) < 2 or words[-1] not in ("id", "uuid", "uid", "guid"):
            return None
        head = [stem(word) for word in words[:-1]]
        for start in range(len(head)):
            spot = self._full.get("".join(head[start:]))
            if spot is not None:
                return spot
        return self._tail.get("".join(head))


def table_shape(table: Table, names: Names, shared: dict[str, int]) -> TableShape:
    """The table's columns with their parts; `shared` counts the tables that have a column of a name."""
    spot = (table.schema, table.name)
    targets = {key.columns[0]: (key.ref_schema, key.ref_table) for key in table.foreign_keys if len(key.columns) == 1}
    grouped = {
        column: (key.ref_schema, key.ref_table)
        for key in table.foreign_keys
        if len(key.columns) > 1
        for column in key.columns
    }
    primary = frozenset(table.primary_key)
    by_name = table.by_name
    pk = "none"
    if len(primary) > 1:
        pk = "composite"
    elif primary:
        only = by_name[table.primary_key[0]]
        kind = type_of(only.type, only.category)
        generated = bool(only.identity or only.default)
        pk = "surrogate" if generated or (stem(only.name) == "id" or kind == "uuid") else "natural"
        if only.name in targets and not generated:
            pk = "reference"
    columns = []
    for column in table.columns:
        if pk == "surrogate" and column.name in primary:
            continue
        columns.append(_column(column, spot, {**grouped, **targets}, names, shared))
    usable = [column for column in columns if column.type not in NEVER]
    return TableShape(
        table,
        stems_of(table.name),
        tuple(columns),
        primary,
        pk,
        tuple(column for column in usable if column.is_ref),
        tuple(column for column in usable if not column.is_ref),
    )


def _column(
    column: Column,
    spot: tuple[str, str],
    targets: dict[str, tuple[str, str]],
    names: Names,
    shared: dict[str, int],
) -> ColumnShape:
    kind = type_of(column.type, column.category)
    target = targets.get(column.name)
    declared = target is not None
    if target is None and kind in ("int", "text", "uuid", "number", "bytes") and not is_external(column.name):
        target = names.target(column.name)
        if target == spot and stems_of(column.name)[:-1] == stems_of(spot[1]):
            target = None  # user_id in users is its own identifier
    constant = column.default is not None and "(" not in column.default
    return ColumnShape(
        column.name,
        _what(column, kind, target, spot, shared),
        kind,
        column.not_null,
        column.number,
        target,
        declared,
        constant,
    )


def _what(
    column: Column, kind: str, target: tuple[str, str] | None, spot: tuple[str, str], shared: dict[str, int]
) -> str:
    name = column.name
    if target is not None:
        return "self ref" if target == spot else "actor ref" if is_actor(name) else "ref"
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
