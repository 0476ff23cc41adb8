"""Hints from the planner's statistics: a column named like a key whose values hardly ever repeat. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vaccine.candidates import KeyHint
from vaccine.catalog.model import Catalog, Column, Table

ENOUGH_ROWS = 100
NEARLY_ALL = 0.95  # distinct values, as a share of the rows that have one
PLACEHOLDER_ROWS = 10
WEIGHT = 1.0
_TEXT = re.compile(
    r"(^|_)(number|no|nr|num|ref|reference|key|token|hash|code|sku|isbn|issn|ean|upc|gtin|barcode|serial|uuid|guid|slug|"
    r"email|login|username|handle|identifier|fingerprint|iban|imei|vin|domain|id)$"
)
_NUMBER = re.compile(r"(^|_)(number|no|nr|num|code|reference)$")
_SECRET = re.compile(r"password|passwd|secret|salt|signature")  # distinct by chance, looked up by nobody


def hints_from_statistics(catalog: Catalog) -> tuple[KeyHint, ...]:
    """Hints for columns that ANALYZE found nearly unique (pg_stats.n_distinct, manual section 53.28)."""
    return tuple(hint for table in catalog.tables if (table.rows_estimate or 0) >= ENOUGH_ROWS for hint in _of(table))


def _of(table: Table) -> Iterator[KeyHint]:
    rows = table.rows_estimate or 0
    references = {name for key in table.foreign_keys for name in key.columns}
    for column in table.columns:
        if column.n_distinct is None or column.name in references or column.name in table.primary_key:
            continue
        filled = 1 - (column.null_fraction or 0) - _placeholder_share(column, rows)
        distinct = -column.n_distinct if column.n_distinct < 0 else column.n_distinct / rows
        if filled * rows >= ENOUGH_ROWS and distinct >= NEARLY_ALL * filled and like_a_key(column):
            reason = f"almost every row has its own {column.name}, by the planner's statistics"
            yield KeyHint(table.schema, table.name, (column.name,), "statistics", WEIGHT, reason)


def _placeholder_share(column: Column, rows: float) -> float:
    """The share of the commonest value, where it is so common that it may stand for no value."""
    common = column.common_fraction or 0
    return common if common * rows >= PLACEHOLDER_ROWS else 0.0


def like_a_key(column: Column) -> bool:
    """Whether a column's name and type say that rows are looked up by it: a number, a code, a token."""
    name = column.name.lower()
    fits = _TEXT if column.category == "S" or column.type == "uuid" else _NUMBER if column.category == "N" else None
    return fits is not None and bool(fits.search(name)) and not _SECRET.search(name)
