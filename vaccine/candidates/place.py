"""What a database and a table say to all candidate keys in them; worked out once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vaccine.candidates.shapes import SELF, ColumnShape, TableShape, Target, relative
from vaccine.candidates.words import LOG, LOOKUP, SETTINGS, stems_of
from vaccine.catalog.model import Table

STRONG = frozenset(("slug", "token", "hash", "login", "external", "uuid", "surrogate"))
NAMING = frozenset(("slug", "name", "code", "key", "external", "login", "word", "version", "url"))
INTERNAL_KINDS = frozenset(("id", "external", "key", "shared id", "name", "url", "login"))
_BESIDE = ("slug", "code", "key", "external", "uuid", "token", "hash", "name", "login", "version")
_TELLS_APART = ("order", "version", "kind", "date")
_NO_ITEM = frozenset(("time", "many", "measure", "text", "flag", "person", "state"))


def bucket(number: int, *limits: int) -> str:
    """The first limit that holds the number, else the last one with a plus."""
    return next((str(limit) for limit in limits if number <= limit), f"{limits[-1]}+")


@dataclass(frozen=True, slots=True)
class Kin:
    """What the database says of a referenced table, seen from the schema of the table that references it."""

    wide: bool  # many tables reference it
    parents: frozenset[Target]  # what its own mandatory references lead to


class Surroundings:
    """What the whole database says: how common a name is, who references whom, whether references are indexed."""

    def __init__(self, shaped: Sequence[tuple[Table, TableShape]], shared: Counter[str]) -> None:
        self.shared = shared  # the number of tables that have a column of the name
        self.tables = max(len(shaped), 1)
        keys = [table.primary_key for table, _ in shaped]
        self.primary = {key[0] for key in keys if len(key) == 1 and key[0] != "id"}  # names of primary keys
        self._referred: Counter[Target] = Counter()
        self._parents: dict[Target, frozenset[Target]] = {}
        self._kin: dict[tuple[str, Target | None, Target], Kin] = {}
        leading = references = 0
        for table, shape in shaped:
            targets = [_absolute(column.target, table) for column in shape.refs if column.target]
            self._referred.update(targets)
            self._parents[table.schema, table.name] = frozenset(
                target
                for column, target in zip(shape.refs, targets, strict=True)
                if column.what == "ref" and column.not_null
            )
            references += shape.declared
            leading += shape.leading
        self.indexed = leading / references if references else 0.0  # the share of references that lead an index

    def kin(self, table: Table, target: Target) -> Kin:
        """What is known of what `table` references as `target`."""
        spot = _absolute(target, table)
        parents = self._parents.get(spot, frozenset())
        mine = (table.schema, table.name)
        place = (table.schema, mine if mine in parents else None, spot)
        known = self._kin.get(place)
        if known is None:
            wide = self._referred[spot] >= max(4, 0.15 * self.tables)
            known = self._kin[place] = Kin(wide, frozenset(relative(parent, table) for parent in parents))
        return known

    def relations(self, table: Table, shape: TableShape) -> tuple[tuple[Target, Kin], ...]:
        """All that the database says of the tables that this one references."""
        return tuple([(column.target, self.kin(table, column.target)) for column in shape.refs if column.target])


def _absolute(target: Target, table: Table) -> Target:
    return (target[0] or table.schema, target[1] or table.name)


class KeyPlace:
    """One table, as its candidates see it; `relations` are what Surroundings say of the tables that it references."""

    def __init__(self, shape: TableShape, around: Surroundings, relations: tuple[tuple[Target, Kin], ...]) -> None:
        self.shape = shape
        self.around = around
        self.kin = dict(relations)
        self.text = "".join(shape.stems)
        last = shape.stems[-1] if shape.stems else ""
        self.log, self.lookup, self.settings = last in LOG, last in LOOKUP, last in SETTINGS
        self.redundant = {column.name for column in shape.refs if self._is_redundant(column)}
        self.owner = {column.name for column in shape.refs if self._owns(column)}
        self.refs = [c for c in shape.refs if c.what != "actor ref" and c.name not in self.redundant]
        self.firm = [column for column in self.refs if column.not_null]
        self.firm_names = {column.name for column in self.firm}
        self.scope = {c.name for c in shape.refs if c.target and self.kin[c.target].wide}
        often = 0.2 * around.tables
        self.tenants = {
            c.name
            for c in shape.refs
            if c.name in self.scope and c.what == "ref" and around.shared.get(c.name, 0) >= often
        }
        self.items = [column for column in shape.items if column.what not in _NO_ITEM]
        self.payload = [column for column in shape.columns if column.what not in ("time", "actor ref", "many")]
        self.naming = [column for column in self.items if column.what in NAMING and column.not_null]
        self.naming_parts = self._having(_BESIDE, self.items)
        self.telling = self._having(_TELLS_APART, [column for column in self.items if column.not_null])
        btrees = [i for i in shape.table.indexes if i.method == "btree" and i.columns]
        self.leads = {index.columns[0] for index in btrees if not index.predicate}
        self.rank = {column.name: rank for rank, column in enumerate(shape.columns)}
        self.declared = {c.name for c in shape.refs if c.declared and c.what != "self ref"}
        self.bare = {name for name in self.declared if name not in self.leads}
        self.indexes = [frozenset(i.columns) for i in btrees if not i.unique and None not in i.columns]
        self.guards = [
            frozenset(i.columns) for i in btrees if i.unique and i.valid and not i.primary and None not in i.columns
        ]

    @staticmethod
    def _having(parts: Sequence[str], items: Sequence[ColumnShape]) -> list[tuple[str, frozenset[str]]]:
        """The columns of each part, where there are any."""
        found = [(part, frozenset(column.name for column in items if column.what == part)) for part in parts]
        return [(part, names) for part, names in found if names]

    def _is_redundant(self, column: ColumnShape) -> bool:
        """True when another firm reference leads to the same row: the parent already has this tenant."""
        return any(
            other.target != column.target
            and other.not_null
            and other.what == "ref"
            and other.target is not None
            and column.target in self.kin[other.target].parents
            for other in self.shape.refs
        )

    def _owns(self, column: ColumnShape) -> bool:
        """True when the table is named after the reference: user_id in user_settings."""
        if column.target is None or column.target == SELF:
            return column.target == SELF
        words = stems_of(column.name)
        head = words[:-1] if words[-1] in ("id", "uuid", "uid") else words
        return "".join(stems_of(column.target[1])) in self.text or (bool(head) and "".join(head) in self.text)
