"""The way back: rows that are as they were left get their old image; rows that someone changed keep theirs."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import make_environment, write_revision

KEY = {"schema": "public", "table": "issues", "columns": ["hash"], "where": "status = 'open' AND hash IS NOT NULL"}
POLICY = {
    "survivor": ["last_seen_at DESC NULLS LAST", "id DESC"],
    "assign": {"status": "resolved"},
    "keep": [],
    "max_rows": 4,
    "plan": "6f1c2e0a",
}

TABLE = """
CREATE TABLE issues (id integer PRIMARY KEY, hash text, status text NOT NULL, last_seen_at timestamptz, note json);
INSERT INTO issues VALUES (1, 'a', 'open', '2026-04-09', '{"x":  1, "x": 2}'), (2, 'a', 'open', '2026-03-30', 'null'),
  (3, 'a', 'open', NULL, NULL), (4, 'b', 'open', '2026-01-01', NULL), (5, 'b', 'open', '2026-01-01', NULL),
  (6, 'b', 'resolved', '2026-02-01', NULL), (7, NULL, 'open', NULL, NULL), (8, NULL, 'open', NULL, NULL),
  (9, 'c', 'open', NULL, NULL);
"""
ROWS = "SELECT id, status, note::text FROM issues ORDER BY id"


@pytest.mark.every_version
def test_up_and_down_and_up(database: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute(TABLE)
    before = connection.execute(ROWS).fetchall()
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY)
    for _ in range(2):
        up = environment.alembic("upgrade", "head")
        print(up.stdout)
        assert "resolved 3 rows of public.issues (hash)" in up.stdout
        assert connection.execute("SELECT id FROM issues WHERE status = 'resolved' ORDER BY id").fetchall() == [
            (2,), (3,), (4,), (6,),
        ]  # fmt: skip
        down = environment.alembic("downgrade", "base")
        assert "restored 3 rows of public.issues" in down.stdout
        assert connection.execute(ROWS).fetchall() == before
