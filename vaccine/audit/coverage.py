"""Does the database already guarantee a key? By meaning, not by the text of an index. Pure.

A unique index guards a key when equal keys give equal index entries (each indexed column or
expression reads key columns only) and when each live row is in the index (the key's predicate
implies the index's).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from vaccine.catalog.model import Index, Table
from vaccine.predicates import Condition, Predicate, columns_in, implies, parse

# Operators that are true of a value and itself: equal keys then conflict. An empty range breaks && (see _holes).
_REFLEXIVE = {"=", "&&", "@>", "<@", "~=", "<=", ">="}
# Types whose equal values may read differently, so that an expression over them need not give equal entries.
_EQUAL_NOT_SAME = ("numeric", "double precision", "real", "interval", "jsonb", "citext", "time with time zone")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What guards a key. Names are of indexes; each text is a sentence for the DBA.

    `guarded_by`: each guards the key for all live rows whose key has no NULL. `holes`: what a guard
    lets through. `invalid`: (index, enforces) of unique indexes that would guard it, were they valid.
    `undecided`: indexes whose predicate does not follow by its text alone: PostgreSQL may know more.
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
        if not _equal_keys_collide(index, table, set(columns), predicate):
            continue
        inside = index.name in proven or _live_rows_inside(index, table, columns, predicate)
        if inside and index.valid:
            guards.append(index)
        elif inside:
            invalid.append((index.name, index.ready))
        else:
            undecided.append(index.name)
            if index.valid and inside is False:
                narrower.append(index.name)
    return Coverage(
        guarded_by=tuple(index.name for index in guards),
        holes=_holes(table, guards),
        invalid=tuple(invalid),
        undecided=tuple(undecided),
        narrower=tuple(narrower),
    )


def _equal_keys_collide(index: Index, table: Table, columns: set[str], predicate: Predicate) -> bool:
    if index.exclusion_operators:
        if not set(index.exclusion_operators) <= _REFLEXIVE:
            return False
    elif not index.unique:
        return False
    if index.finer_collation or any(_finer(table, name) for name in index.expression_columns):
        return False
    read = {name for name in index.columns if name is not None} | set(index.expression_columns)
    return _sources(table, read) <= columns | _fixed(predicate, nulls=index.nulls_not_distinct)


def _finer(table: Table, column: str) -> bool:
    """Whether an expression may tell apart two values of the column that are equal: 1.0 and 1.00."""
    kind = table.by_name[column].type if column in table.by_name else ""
    return kind.startswith(_EQUAL_NOT_SAME)


def _sources(table: Table, columns: set[str]) -> set[str]:
    """The columns, a generated one replaced by those that it is made of."""
    found: set[str] = set()
    for name in columns:
        column = table.by_name.get(name)
        parts = columns_in(column.default or "", table.by_name) if column and column.generated else ()
        found |= set(parts) if parts and not any(_finer(table, part) for part in parts) else {name}
    return found


def _fixed(predicate: Predicate, *, nulls: bool) -> set[str]:
    """The columns that hold one value in all live rows; NULL only where an index takes NULLs for equal."""
    return {
        condition.column
        for condition in predicate
        if condition.kind in {"true", "false"}
        or (condition.kind == "in" and len(condition.values) == 1)
        or (condition.kind == "null" and nulls)
    }


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
