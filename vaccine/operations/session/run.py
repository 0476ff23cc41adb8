"""One run of a revision's operations: connections of our own, the options, and where messages go.

Vaccine does its work on psycopg connections that it opens itself, to the very server and database of
Alembic's connection: batches must commit one by one, CREATE INDEX CONCURRENTLY must stand alone, and a
second connection must watch it. Alembic's own connection only stamps; it holds no transaction meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from ..options import Options
from .stop import Stop

log = logging.getLogger("vaccine")


@dataclass(frozen=True)
class Run:
    """What every step of a run needs.

    `connect` opens a new autocommit connection (application_name `vaccine`, lock_timeout and
    statement_timeout 0, search_path as the role has it). `worker` is the one for statements that
    change something. `say` takes one line of progress for the DBA. `version_table` is Alembic's, as `schema.table`.
    `stop` knows whether a signal told the run to stop.
    """

    revision: str
    options: Options
    connect: Callable[[], psycopg.Connection]
    worker: psycopg.Connection
    say: Callable[[str], None] = field(default=log.info)
    version_table: str = ""
    stop: Stop = field(default_factory=Stop)
