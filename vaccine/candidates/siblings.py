"""What the unique indexes of this database teach: the columns that other tables guard, alone or together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from vaccine.candidates.words import family_of, stems_of, words_of
from vaccine.catalog.model import Catalog, Index, Table

_Guard = tuple[Table, Index]
_HABIT = 0.25  # from this share of the tables that have the columns, guarding them is the habit here


@dataclass(frozen=True, slots=True)
class Evidence:
    """What siblings say of a key: `weight` is added to the log-odds, which then rise to `floor` at least."""

    weight: float
    floor: float
    reason: str


class Siblings:
    """The guarded columns of a catalog by name; built once."""

    def __init__(self, catalog: Catalog) -> None:
        self._same: dict[frozenset[str], list[_Guard]] = defaultdict(list)
        self._hashes: list[_Guard] = []
        self._having: dict[str, set[int]] = defaultdict(set)
        for number, table in enumerate(catalog.tables):
            for column in table.columns:
                self._having[column.name].add(number)
            for index in table.indexes:
                columns = frozenset(name for name in index.columns if name is not None)
                if not _guards(index, columns):
                    continue
                self._same[columns].append((table, index))
                if len(columns) == 1 and _is_hash(next(iter(columns))):
                    self._hashes.append((table, index))
        for guards in self._same.values():  # sorted once: a schema for each tenant has thousands of one kind
            guards.sort(key=lambda guard: (guard[1].predicate is None, guard[0].schema, guard[0].name))
        self._tables_having: dict[frozenset[str], int] = {}

    def may_speak_of(self, columns: tuple[str, ...]) -> bool:
        """Whether any unique index of the database has to do with such columns."""
        return frozenset(columns) in self._same or (len(columns) == 1 and bool(self._hashes) and _is_hash(columns[0]))

    def evidence(self, table: Table, columns: tuple[str, ...]) -> Evidence | None:
        """What other tables' unique indexes say of this key; None when they say nothing."""
        key = frozenset(columns)
        guards = self._same.get(key, ())
        own = sum(_guards(index, key) for index in table.indexes) if guards else 0
        others = len(guards) - own
        if others > 0:
            sibling, index = next(guard for guard in guards if guard[0] is not table)
            more = f", and so {'does' if others == 2 else 'do'} {others - 1} more" if others > 1 else ""
            reason = f"{sibling.schema}.{sibling.name} guards {', '.join(columns)} with {index.name}{more}"
            having = self._count_having(key)
            if others == 1 and set(stems_of(sibling.name)) & set(stems_of(table.name)):
                return None  # dot_runs.file_path beside dot_tools.file_path: more likely it refers to that table
            if others >= _HABIT * max(having - 1, 1):
                return Evidence(2.5, 1.0, reason)
            return Evidence(0.5, -30.0, reason)
        alike = next((guard for guard in self._hashes if guard[0] is not table), None)
        if len(columns) == 1 and alike and _is_hash(columns[0]):
            sibling, index = alike
            reason = f"{sibling.schema}.{sibling.name} guards a hash of its own with {index.name}"
            return Evidence(1.0, 0.5, reason)
        return None

    def _count_having(self, columns: frozenset[str]) -> int:
        """How many tables have all these columns."""
        if columns not in self._tables_having:
            self._tables_having[columns] = len(set.intersection(*(self._having[name] for name in columns)))
        return self._tables_having[columns]


def _guards(index: Index, columns: frozenset[str]) -> bool:
    """Whether it is a valid unique index, not the primary key, on exactly these columns and no expression."""
    if not index.unique or index.primary or not index.valid or len(index.columns) != len(columns):
        return False
    return frozenset(index.columns) == columns


def _is_hash(name: str) -> bool:
    return len(words_of(name)) > 1 and family_of(name) == "hash"
