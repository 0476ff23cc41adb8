"""A role or a database whose transactions are read-only by default."""

from __future__ import annotations

from .model import Check, Stage, of_server

CHECK = Check(
    "read-only",
    "default_transaction_read_only is on for this role or database",
    "set it off: ALTER ROLE … (or ALTER DATABASE …) RESET default_transaction_read_only",
    of_server("SELECT WHERE pg_catalog.current_setting('default_transaction_read_only')::boolean"),
    Stage.SERVER,
    elsewhere=True,
    unasked="each step of a script refuses a session that is read-only by default, and makes it so itself",
)
