"""An UPDATE may set neither a generated column nor an identity column that is GENERATED ALWAYS."""

from __future__ import annotations

from .model import Check, of_table

CHECK = Check(
    "generated-column",
    "the column {name} is generated, it cannot be assigned",
    "assign the column that it follows",
    of_table(
        """SELECT a.attname AS name FROM pg_catalog.pg_attribute AS a
 WHERE a.attrelid = (SELECT c.oid FROM {target}) AND a.attname = ANY ({assigned}) AND NOT a.attisdropped
   AND (a.attgenerated <> '' OR a.attidentity = 'a')
 ORDER BY a.attnum"""
    ),
    halts=True,
)
