"""Ctrl-C while the build waits: one message, no traceback, nothing INVALID, and the same command goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from tests.commands import Shell


def test_an_interrupted_build_leaves_nothing_and_goes_on(tmp_path: Path, database: str) -> None:
    shell = Shell(tmp_path, database)
    with psycopg.connect(database, autocommit=True) as connection, psycopg.connect(database) as writer:
        connection.execute("CREATE TABLE issues (id int PRIMARY KEY, hash text, status text)")
        connection.execute("INSERT INTO issues SELECT i, 'h' || i % 5, 'open' FROM generate_series(1, 10) AS i")
        shell.vaccine("init")
        shell.vaccine(
            "plan", "issues.hash", "--where", "status = 'open'", "--assign", "status=resolved", "-o", "plan.json"
        )
        shell.vaccine("revision", "plan.json")
        writer.execute("INSERT INTO issues VALUES (99, 'other', 'open')")
        run = subprocess.Popen(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=tmp_path, env={**os.environ, "VACCINE_URL": database}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        until = time.monotonic() + 60
        while (
            time.monotonic() < until
            and not connection.execute("SELECT 1 FROM issues WHERE status = 'resolved' LIMIT 1").fetchone()
        ):
            time.sleep(0.1)
        time.sleep(2)
        run.send_signal(signal.SIGINT)
        try:
            told, _ = run.communicate(timeout=60)
        finally:
            run.kill()
        writer.commit()
        assert run.returncode == 255, told
        assert "was interrupted" in told
        assert "Traceback" not in told
        found = connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
        assert found == (0,)
        shell.alembic("upgrade", "head")
        assert connection.execute("SELECT count(*) FROM pg_index WHERE indisvalid AND indisunique"
                                  " AND indrelid = 'issues'::regclass").fetchone() == (2,)  # fmt: skip
