"""Code of other roles that PostgreSQL itself may run, whatever is asked of a table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from vaccine.catalog.foreign import called_by
from vaccine.catalog.model import Catalog

SHOWN = 5


def folded(catalog: Catalog) -> tuple[str, ...]:
    """A warning for each index that calls code of another role, the first few.

    To plan any query over a table the planner reads the predicates and expressions of its indexes, and runs the
    IMMUTABLE functions in them that have constants for arguments. No setting and no transaction stops it.
    """
    return tuple(islice(_found(catalog), SHOWN))


def _found(catalog: Catalog) -> Iterator[str]:
    for table in catalog.tables if catalog.foreign else ():
        for index in table.indexes:
            texts = (index.predicate, *index.expressions)
            called = next(filter(None, (called_by(text, catalog.foreign) for text in texts)), "")
            if called:
                yield (
                    f"code of others: index {index.name} of {table.schema}.{table.name} calls {called}; to plan any"
                    " query over that table PostgreSQL may run it with the rights of whoever asks"
                )
