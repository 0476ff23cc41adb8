"""What a database and a table say to all candidate keys in them; worked out once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .shapes import ColumnShape, TableShape
from .words import LOG, LOOKUP, SETTINGS, stems_of

STRONG = frozenset(("slug", "token", "hash", "login", "external", "uuid", "surrogate"))
NAMING = frozenset(("slug", "name", "code", "key", "external", "login", "word", "version", "url"))
INTERNAL_KINDS = frozenset(("id", "external", "key", "shared id", "name", "url", "login"))
_NO_ITEM = frozenset(("time", "many", "measure", "text", "flag", "person", "state"))


def bucket(number: int, *limits: int) -> str:
    """The first limit that holds the number, else the last one with a plus."""
    return next((str(limit) for limit in limits if number <= limit), f"{limits[-1]}+")


class Surroundings:
    """What the whole database says: how common a name is, who references whom, whether references are indexed."""

    def __init__(self, shapes: Iterable[TableShape], shared: Counter[str]) -> None:
        self.shared = shared  # the number of tables that have a column of the name
        self.referred: Counter[tuple[str, str]] = Counter()
        self.parents: dict[tuple[str, str], set[tuple[str, str]]] = {}
        leading = references = tables = 0
        for shape in shapes:
            tables += 1
            self.referred.update(column.target for column in shape.refs if column.target)
            self.parents[shape.table.schema, shape.table.name] = {
                column.target for column in shape.refs if column.what == "ref" and column.not_null and column.target
            }
            first = {index.columns[0] for index in shape.table.indexes if index.columns}
            declared = [key.columns[0] for key in shape.table.foreign_keys if len(key.columns) == 1]
            references += len(declared)
            leading += sum(column in first for column in declared)
        self.tables = max(tables, 1)
        self.indexed = leading / references if references else 0.0  # the share of references that lead an index


class Place:
    """One table, as its candidates see it."""

    def __init__(self, shape: TableShape, around: Surroundings) -> None:
        self.shape = shape
        self.around = around
        self.text = "".join(shape.stems)
        last = shape.stems[-1] if shape.stems else ""
        self.log, self.lookup, self.settings = last in LOG, last in LOOKUP, last in SETTINGS
        self.redundant = {column.name for column in shape.refs if self._is_redundant(column)}
        self.owner = {column.name for column in shape.refs if self._owns(column)}
        self.refs = [c for c in shape.refs if c.what != "actor ref" and c.name not in self.redundant]
        self.firm = [column for column in self.refs if column.not_null]
        wide = max(4, 0.15 * around.tables)
        self.scope = {c.name for c in shape.refs if c.target and around.referred.get(c.target, 0) >= wide}
        often = 0.2 * around.tables
        self.tenants = {
            c.name
            for c in shape.refs
            if c.name in self.scope and c.what == "ref" and around.shared.get(c.name, 0) >= often
        }
        self.items = [column for column in shape.items if column.what not in _NO_ITEM]
        self.payload = [column for column in shape.columns if column.what not in ("time", "actor ref", "many")]
        self.naming = [column for column in self.items if column.what in NAMING and column.not_null]
        btrees = [i for i in shape.table.indexes if i.method == "btree" and i.columns]
        self.leads = {index.columns[0] for index in btrees if not index.predicate}
        self.indexes = [frozenset(i.columns) for i in btrees if not i.unique and None not in i.columns]
        self.guards = [
            frozenset(i.columns) for i in btrees if i.unique and i.valid and not i.primary and None not in i.columns
        ]

    def _is_redundant(self, column: ColumnShape) -> bool:
        """True when another firm reference leads to the same row: the parent already has this tenant."""
        return any(
            other.target != column.target
            and other.not_null
            and other.what == "ref"
            and other.target is not None
            and column.target in self.around.parents.get(other.target, ())
            for other in self.shape.refs
        )

    def _owns(self, column: ColumnShape) -> bool:
        """True when the table is named after the reference: user_id in user_settings."""
        if column.target is None:
            return False
        words = stems_of(column.name)
        head = words[:-1] if words[-1] in ("id", "uuid", "uid") else words
        return "".join(stems_of(column.target[1])) in self.text or (bool(head) and "".join(head) in self.text)
