"""Which sets of columns are worth a score: single columns, scope + item, join tables, polymorphic pairs, prefixes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from vaccine.candidates.shapes import ColumnShape, TableShape

Members = tuple[ColumnShape, ...]

_NOT_ALONE = frozenset(("flag", "time", "text", "measure", "many", "person", "state"))
_NOT_WITH = frozenset(("time", "text", "measure", "many", "person"))
_ITEMS, _REFS = 9, 8  # of a very wide table, the first ones by rank
_KINDS = frozenset(("kind", "state", "shared id", "url"))
_SECOND = frozenset(("id", "shared id", "key", "name", "code", "external", "token", "slug", "hash", "url", "login",
                     "version", "date", "order", "kind", "word", "plain id", "uuid", "int"))  # fmt: skip


def candidates(shape: TableShape) -> Iterator[Members]:
    """Candidate keys of a table, each as columns in table order (references first), some more than once."""
    alone = [column for column in shape.items if column.what not in _NOT_ALONE]
    for column in alone:
        yield (column,)
    refs = shape.refs[:_REFS]
    for column in refs:
        yield (column,)
    items = sorted(
        (column for column in shape.items if column.what not in _NOT_WITH), key=lambda column: not column.not_null
    )[:_ITEMS]
    poly = _polymorphic(shape)
    yield from _with_refs(refs, items)
    for pair in poly:
        yield pair
        rest = [column for column in (*refs, *items) if column not in pair]
        for other in rest[:6]:
            yield (*pair, other)
    for one, other in combinations(items, 2):
        if _matches(one, other):
            yield (one, other)
    yield from _wholes(shape, refs, items)


def _with_refs(refs: tuple[ColumnShape, ...], items: list[ColumnShape]) -> Iterator[Members]:
    for ref in refs:
        for item in items:
            yield (ref, item)
    for pair in combinations(refs, 2):
        yield pair
        if len(refs) <= 4:
            for item in items[:6]:
                if item.what != "flag":
                    yield (*pair, item)
    if len(refs) <= 5:
        yield from combinations(refs, 3)
    for one, other in combinations(items[:6], 2):
        if _matches(one, other):
            yield from ((ref, one, other) for ref in refs[:4])


def _matches(one: ColumnShape, other: ColumnShape) -> bool:
    """True for two columns that may identify together: a kind and an id, a name and a version, neighbours."""
    if "flag" in (one.what, other.what):
        return False
    return (one.what in _KINDS or other.what in _KINDS or abs(one.number - other.number) == 1) and (
        one.what in _SECOND or other.what in _SECOND
    )


def _polymorphic(shape: TableShape) -> list[Members]:
    """Pairs such as (owner_type, owner_id): the kind of the other row, and its id."""
    by_name = {column.name: column for column in shape.columns}
    pairs: list[Members] = []
    for column in shape.columns:
        for ending in ("_type_id", "_type"):
            if column.name.endswith(ending):
                stem = column.name.removesuffix(ending)
                other = by_name.get(f"{stem}_id") or (by_name.get("object_id") if ending == "_type_id" else None)
                if other is not None:
                    pairs.append((column, other))
                break
    return pairs


def _wholes(shape: TableShape, refs: tuple[ColumnShape, ...], items: list[ColumnShape]) -> Iterator[Members]:
    """All references, all references and an order, the first columns of the table, composite references."""
    firm = tuple(column for column in refs if column.not_null)
    orders = [column for column in items if column.what in ("order", "version", "kind", "date")]
    for whole in {firm, tuple(refs)}:
        if 2 <= len(whole) <= 5:
            yield whole
            for order in orders[:3]:
                yield (*whole, order)
    for key in shape.table.foreign_keys:
        if len(key.columns) > 1:
            group = tuple(column for column in shape.columns if column.name in key.columns)
            yield group
            for item in items[:6]:
                if item not in group:
                    yield (*group, item)
    leading = [column for column in shape.columns if column.what not in ("time", "text", "measure", "many", "flag")]
    for length in range(2, min(6, len(leading)) + 1):
        yield tuple(leading[:length])
