"""The partial predicate that a table's columns suggest: rows marked as deleted do not count."""

from __future__ import annotations

from functools import lru_cache

from ..catalog import Column, Table

_GONE = ("deleted_at", "archived_at", "discarded_at", "removed_at", "revoked_at", "deleted_on", "deletedat")
_GONE_FLAGS = ("is_deleted", "deleted", "is_archived", "archived", "obsolete")


def predicate_of(table: Table, columns: tuple[str, ...]) -> str | None:
    """`"deleted_at" IS NULL` and the like, with quoted names; None where all rows count."""
    for column in table.columns:
        predicate = _gone(column)
        if predicate is not None and column.name not in columns:
            return predicate
    return None


@lru_cache(maxsize=4096)
def _gone(column: Column) -> str | None:
    quoted = '"' + column.name.replace('"', '""') + '"'
    lower = column.name.lower()
    if lower in _GONE and not column.not_null and column.category == "D":
        return f"{quoted} IS NULL"
    if lower in _GONE_FLAGS and column.type == "boolean":
        return f"NOT {quoted}" if column.not_null else f"{quoted} IS NOT TRUE"
    return None
