"""The partial predicate that a table's columns suggest by their names: what is deleted or superseded does not count."""

from __future__ import annotations

from vaccine.audit.lifecycle import named_predicate
from vaccine.catalog.model import Table


def predicate_of(table: Table, columns: tuple[str, ...]) -> str | None:
    """`deleted_at IS NULL`, `is_current` and the like, with names quoted where needed; None where all rows count.

    What only rows can tell (a status, a flag that something is over) is judged later, with the rows at hand.
    """
    return named_predicate(table, columns)
