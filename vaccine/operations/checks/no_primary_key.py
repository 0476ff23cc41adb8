"""A row that cannot be named cannot be restored. Where no row has to be resolved, none need be named."""

from __future__ import annotations

from .duplicates import COUNTED
from .model import Check, of_table

CHECK = Check(
    "no-primary-key",
    "the table has no primary key, so a row could be neither named in the journal nor found again for its undo, "
    "and there are duplicates to resolve",
    "give it one, or resolve the duplicates by hand and plan again",
    of_table(
        f"""SELECT {COUNTED} AS statements FROM {{target}}
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid)"""
    ),
    halts=True,
    probe=True,
    ignores=("42",),
)
