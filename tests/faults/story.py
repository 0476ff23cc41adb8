"""The table that the faults happen to, a revision for it, and what must hold in the end and at any moment."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.alembic_env import make_environment, write_revision
from tests.runs import gate_objects, indexes
from vaccine.demo.server import Server

INDEX = 'uq "open" issue'
KEY: dict[str, Any] = {
    "schema": "public",
    "table": "Issues %",
    "columns": ["tenant", "the hash"],
    "where": "state = 'open' AND \"the hash\" IS NOT NULL",
}
POLICY: dict[str, Any] = {
    "survivor": ["seen DESC NULLS LAST", "id DESC"],
    "assign": {"state": "resolved"},
    "keep": [["4"]],
    "max_rows": 200,
    "plan": "6f1c2e0a",
}
GROUPS, EXCESS = 60, 120
TABLE = sql.Identifier("public", "Issues %")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Story:
    """A server with three databases: `before`, `after` the upgrade; and the environment with the revision."""

    server: Server
    root: Path
    before: str
    after: str

    @contextmanager
    def clone(self, of: str) -> Iterator[str]:
        """The name of a database like `of`, dropped at the end."""
        name = f"fault_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.server.url, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, of))))
        try:
            yield name
        finally:
            with psycopg.connect(self.server.url, autocommit=True) as admin:
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def make(connection: psycopg.Connection) -> None:
    """60 groups of 3 live rows, closed rows among them, and a copy of all in `original`."""
    connection.execute(
        sql.SQL(
            """CREATE TABLE {t} (id int PRIMARY KEY, tenant int NOT NULL, "the hash" text, state text NOT NULL,
                                 seen timestamptz, payload json, weight float8);
               INSERT INTO {t} SELECT n, n % 3, 'h' || (n % 60), CASE WHEN n > 180 THEN 'closed' ELSE 'open' END,
                      timestamptz '2026-04-09 10:00+00' - n * interval '1 hour', '{{"a" : 1,  "a":2}}', -0.0
               FROM generate_series(1, 220) AS n;
               CREATE TABLE original AS TABLE {t}"""
        ).format(t=TABLE)
    )


def environment(root: Path, url: str) -> Path:
    """An Alembic environment with one revision of the key."""
    write_revision(make_environment(root, url), KEY, POLICY, index=INDEX)
    return root


def end_state(url: str) -> dict[str, Any]:
    """All that an undisturbed run decides, and nothing that time or chance does."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(sql.SQL("SELECT t::text FROM {} AS t ORDER BY id").format(TABLE)).fetchall()
        journal = connection.execute(
            "SELECT outcome, sum(row_count), sum(restored_count), sum(cardinality(kept_rows)) "
            "FROM vaccine.journal GROUP BY outcome ORDER BY outcome"
        ).fetchall()
        journalled = connection.execute(
            "SELECT pk #>> '{}', count(*) FROM vaccine.journal, jsonb_array_elements(primary_keys) AS pk "
            "GROUP BY 1 ORDER BY 1"
        ).fetchall()
        version = connection.execute("SELECT version_num FROM vaccine.alembic_version").fetchall()
        return {
            "rows": rows,
            "indexes": indexes(connection),
            "gate": gate_objects(connection),
            "journal": journal,
            "journalled": journalled,
            "version": version,
        }


def lost(url: str) -> int:
    """How many original rows are neither in the table nor, as they were, in the journal."""
    with psycopg.connect(url, autocommit=True) as connection:
        [(there,)] = connection.execute("SELECT to_regclass('vaccine.image_tables') IS NOT NULL").fetchall()
        images = [row[0] for row in connection.execute("SELECT images FROM vaccine.image_tables")] if there else []
        columns = sql.SQL(", ").join(
            map(sql.Identifier, ["id", "tenant", "the hash", "state", "seen", "payload", "weight"])
        )
        places = [TABLE, *(sql.Identifier("vaccine", name) for name in images)]
        kept = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT ROW({})::text FROM {}").format(columns, place) for place in places
        )
        statement = sql.SQL("SELECT count(*) FROM original WHERE ROW({})::text NOT IN ({})").format(columns, kept)
        [(count,)] = connection.execute(statement).fetchall()
        return int(count)
