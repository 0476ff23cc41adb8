"""A temporary table ends with its session."""

from __future__ import annotations

from .model import Check, of_table

CHECK = Check(
    "temporary",
    "the table is temporary",
    "nothing to vaccinate: it ends with its session",
    of_table("SELECT FROM {target} AND c.relpersistence = 't'"),
    halts=True,
)
