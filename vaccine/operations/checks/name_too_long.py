"""PostgreSQL cuts a name at 63 bytes, silently."""

from __future__ import annotations

from .model import Check, Stage, of_server

CHECK = Check(
    "name-too-long",
    "the index name {name} has {bytes} bytes, PostgreSQL would cut it at 63",
    "choose a shorter one with --name",
    of_server(
        "SELECT s.name, pg_catalog.octet_length(s.name) AS bytes FROM (SELECT {index}) AS s (name)"
        " WHERE pg_catalog.octet_length(s.name) > 63"
    ),
    Stage.INDEX,
)
