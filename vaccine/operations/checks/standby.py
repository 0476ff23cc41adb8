"""A standby cannot be written; a plan can be made there."""

from __future__ import annotations

from .model import Check, Stage, of_server

CHECK = Check(
    "standby",
    "this server is a standby, which cannot be written",
    "connect to the primary",
    of_server("SELECT WHERE pg_catalog.pg_is_in_recovery()"),
    Stage.SERVER,
    elsewhere=True,
)
