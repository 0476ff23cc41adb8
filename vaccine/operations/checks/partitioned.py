"""An index on a partitioned table cannot be built CONCURRENTLY, and must hold the partition key."""

from __future__ import annotations

from .model import Check, Stage, of_table

CHECK = Check(
    "partitioned",
    "the table is partitioned: CREATE INDEX CONCURRENTLY is not possible there, and a unique key must hold the "
    "partition key",
    "vaccinate each partition by its own name, or build the index on each and attach it; a key without the partition "
    "key can be guarded in the application only",
    of_table("SELECT FROM {target} AND c.relkind = 'p'"),
    Stage.INDEX,
)
