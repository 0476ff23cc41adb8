"""An index covers the rows of one table, not those of tables that inherit from it."""

from __future__ import annotations

from .model import Check, Stage, of_table

CHECK = Check(
    "inheritance",
    "{count} tables inherit from it: neither are their rows looked at, nor does an index cover them",
    "vaccinate each of them too, or guard the key in the application",
    of_table(
        """SELECT t.count FROM (
SELECT pg_catalog.count(*) FROM pg_catalog.pg_inherits AS i
 WHERE i.inhparent = (SELECT c.oid FROM {target} AND c.relkind = 'r')) AS t (count) WHERE t.count > 0"""
    ),
    Stage.INDEX,
    blocking=False,
)
