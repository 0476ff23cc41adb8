"""The keys to judge writers by: from the command line, or from a plan file."""

from __future__ import annotations

from collections.abc import Sequence

from vaccine.catalog.keyname import parse_key
from vaccine.errors import UsageError
from vaccine.plan.model import Plan
from vaccine.plan.naming import index_name
from vaccine.writers.model import KeySpec


def key_specs(keys: Sequence[str], where: str | None, index: str | None) -> list[KeySpec]:
    """Keys typed as `[schema.]table.column[,column]`; the schema is public where none is named.

    Raises:
        UsageError: a key has another form, or options miss their key.
    """
    if (where or index) and not keys:
        raise UsageError("--where and --index describe the index of a --key", fix="add --key TABLE.COLUMN")
    if index and len(keys) > 1:
        raise UsageError("--index names one index, but several keys were given", fix="give one --key, or --plan")
    specs = []
    for text in keys:
        name = parse_key(text)
        planned = index or index_name(name.table, name.columns, where)
        specs.append(KeySpec(name.schema or "public", name.table, name.columns, where, planned))
    return specs


def plan_specs(plan: Plan) -> list[KeySpec]:
    """The keys of a plan with their planned indexes."""
    return [KeySpec(one.schema, one.table, one.columns, one.where, one.index_name) for one in plan.vaccinations]
