"""A server older than what the statements are written for."""

from __future__ import annotations

from .model import Check, Stage, of_server

CHECK = Check(
    "too-old",
    "PostgreSQL {version} is older than 13, the oldest that Vaccine supports",
    "upgrade the server first",
    of_server(
        "SELECT pg_catalog.current_setting('server_version') AS version"
        " WHERE pg_catalog.current_setting('server_version_num')::integer < 130000"
    ),
    Stage.SERVER,
)
