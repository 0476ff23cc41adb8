"""A view, a foreign table, an index: no rows of its own to guard."""

from __future__ import annotations

from .model import Check, Stage, of_table

CHECK = Check(
    "not-a-table",
    "{schema}.{name} is no table (relkind {kind})",
    "name the table beneath it",
    of_table(
        "SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind FROM {target} AND c.relkind NOT IN ('r', 'p')"
    ),
    Stage.SERVER,
    halts=True,
)
