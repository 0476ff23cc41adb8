"""Does the database already guarantee a key? By meaning, not by the text of an index. Pure.

A unique index guards a key when equal keys give equal index entries (each indexed column or
expression reads key columns only) and when each live row is in the index (the key's predicate
implies the index's).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from vaccine.catalog import Index, Table
from vaccine.predicate import Condition, Predicate, implies, parse

# Operators that are true of a value and itself: equal keys then conflict. An empty range breaks && (see _holes).
_REFLEXIVE = {"=", "&&", "@>", "<@", "~=", "<=", ">="}


@dataclass(frozen=True, slots=True)
class Coverage:
    """What guards a key. Names are of indexes; each text is a sentence for the DBA.

    `guarded_by`: each guards the key for all live rows whose key has no NULL. `holes`: what a guard
    lets through. `invalid`: (index, enforces) of unique indexes that would guard it, were they valid.
    `undecided`: (index, its predicate) that PostgreSQL must be asked about.
    """

    guarded_by: tuple[str, ...] = ()
    holes: tuple[str, ...] = ()
    invalid: tuple[tuple[str, bool], ...] = ()
    undecided: tuple[str, ...] = ()
    narrower: tuple[str, ...] = ()  # unique on the same columns, but for some of the live rows only

    @property
    def guarded(self) -> bool:
        """Whether at least one index guards the key."""
        return bool(self.guarded_by)


def coverage(
    table: Table, columns: Collection[str], predicate: Predicate = (), proven: Collection[str] = ()
) -> Coverage:
    """What guards the key `columns` for the rows that satisfy `predicate`.

    `proven` names indexes whose predicate PostgreSQL itself found implied.
    """
    guards: list[Index] = []
    invalid, undecided, narrower = [], [], []
    for index in table.indexes:
        if not _equal_keys_collide(index, set(columns)):
            continue
        inside = True if index.name in proven else _live_rows_inside(index, table, columns, predicate)
        if inside and index.valid:
            guards.append(index)
        elif inside:
            invalid.append((index.name, index.ready))
        elif inside is None:
            undecided.append(index.name)
        elif index.valid:
            narrower.append(index.name)
    return Coverage(
        guarded_by=tuple(index.name for index in guards),
        holes=_holes(table, guards),
        invalid=tuple(invalid),
        undecided=tuple(undecided),
        narrower=tuple(narrower),
    )


def _equal_keys_collide(index: Index, columns: set[str]) -> bool:
    if index.exclusion_operators:
        if not set(index.exclusion_operators) <= _REFLEXIVE:
            return False
    elif not index.unique:
        return False
    read = {name for name in index.columns if name is not None} | set(index.expression_columns)
    return read <= columns


def _live_rows_inside(index: Index, table: Table, columns: Collection[str], predicate: Predicate) -> bool | None:
    if index.predicate is None:
        return True
    not_null = {column.name for column in table.columns if column.not_null} | set(columns)
    given = (*predicate, *(Condition("not null", name) for name in columns))
    return implies(given, parse(index.predicate), not_null)


def _holes(table: Table, guards: list[Index]) -> tuple[str, ...]:
    """What every guard lets through: NULLs in a key of several columns, the children of a parent, a deferred check."""
    if not guards:
        return ()
    holes = []
    open_columns = [_nullable(table, index) for index in guards]
    if all(open_columns):
        names = min(open_columns, key=len)
        if max(len(index.columns) for index in guards) > 1:
            holes.append(f"rows with NULL in {', '.join(names)} are not compared (NULLS DISTINCT)")
    if table.inherits:
        holes.append("the index does not reach the rows of inheriting tables")
    if all("&&" in index.exclusion_operators for index in guards):
        holes.append("an empty range overlaps nothing")
    if not any(index.immediate for index in guards):
        holes.append("the constraint is deferrable: ON CONFLICT cannot use it")
    return tuple(holes)


def _nullable(table: Table, index: Index) -> tuple[str, ...]:
    """The indexed columns that may hold NULL and so escape this index; none when NULLs count as equal."""
    if index.nulls_not_distinct:
        return ()
    never = {column.name for column in table.columns if column.not_null}
    never |= {condition.column for condition in parse(index.predicate) if condition.kind in {"not null", "in"}}
    return tuple(name for name in index.columns if name is not None and name not in never)
