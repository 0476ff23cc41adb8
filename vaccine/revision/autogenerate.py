"""A plugin of Alembic's: autogenerate with include_schemas leaves the schema `vaccine` alone.

Alembic loads it wherever Vaccine is installed (entry point `alembic.plugins`), the application's own environment
too: a model knows nothing of the journal, so a comparison would drop it, and every undo with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # Alembic imports this while it is imported itself
    from alembic.runtime.plugins import Plugin

SCHEMA = "vaccine"


def setup(plugin: Plugin) -> None:
    """Register the comparator; Alembic calls this."""
    from alembic.util import DispatchPriority  # noqa: PLC0415

    plugin.add_autogenerate_comparator(leave_alone, "schema", "vaccine", priority=DispatchPriority.FIRST)


def leave_alone(context: Any, _operations: object, schemas: set[str | None]) -> Any:
    """Take our schema out of those that are compared, unless the model has tables of its own in a schema so named."""
    from alembic.util import PriorityDispatchResult  # noqa: PLC0415

    if all(table.schema != SCHEMA for table in context.sorted_tables):
        schemas.discard(SCHEMA)
    return PriorityDispatchResult.CONTINUE
