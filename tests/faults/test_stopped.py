"""A run that is told to stop ends within 5 s, in words; nothing refuses a write or stands INVALID behind it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import Environment, make_environment, write_revision
from tests.faults.test_blockers import SLOW, make_slow, wait_until
from tests.runs import INDEX, gate_objects, indexes, insert

MOST_S = 5.0
MARGIN_S = 2.0  # to start and end a Python on a busy machine
POLICY = {"survivor": ["id DESC"], "assign": {"stat'us": "resolved"}, "keep": [], "max_rows": 9, "plan": "6f1c2e0a"}
GATED = ("-x", "vaccine.gate=always", "upgrade", "head")
BUILDING = """SELECT EXISTS (SELECT FROM pg_stat_progress_create_index p JOIN pg_class i ON i.oid = p.index_relid
                              WHERE p.phase LIKE 'building%' AND i.relname NOT LIKE 'vaccine_gate%')"""
ON_A_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from alembic.config import main
main(sys.argv[1:], "alembic")
"""
GATE_UP = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname LIKE 'vaccine_gate%')"
INVALID = "SELECT NOT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)"


@pytest.fixture
def slow(database: str, connection: psycopg.Connection, tmp_path: Path) -> Environment:
    """A revision whose build takes some seconds."""
    make_slow(connection, 12)
    key = {"schema": SLOW.schema, "table": SLOW.table, "columns": list(SLOW.columns), "where": SLOW.where}
    environment = make_environment(tmp_path, database)
    write_revision(environment, key, POLICY, index=INDEX)
    return environment


@pytest.mark.parametrize(
    ("number", "when"), [(signal.SIGINT, GATE_UP), (signal.SIGTERM, BUILDING)], ids=["SIGINT", "SIGTERM"]
)
def test_with_the_gate_up_and_a_writer_open(
    slow: Environment, connection: psycopg.Connection, number: signal.Signals, when: str
) -> None:
    """The writer is in the way of DROP TRIGGER and DROP INDEX: the gate lets all pass, the server drops the index."""
    started = slow.start(*GATED)
    wait_until(slow.url, when)
    with psycopg.connect(slow.url, application_name="billing") as writer:
        insert(writer, "from billing")
        began = time.monotonic()
        started.send_signal(number)
        time.sleep(0.3)
        started.send_signal(number)
        output, _ = started.communicate(timeout=60)
        took = time.monotonic() - began
        print(f"{number.name}: {took:.1f} s\n{output}")
        assert took < MOST_S + MARGIN_S
        assert started.returncode == 255, output
        assert "was interrupted" in output
        assert number.name in output
        assert "Traceback" not in output
        insert(connection, "k1")  # a duplicate: nothing refuses it
    wait_until(slow.url, INVALID)
    assert INDEX not in indexes(connection)
    slow.alembic("upgrade", "head")
    assert (indexes(connection), gate_objects(connection)) == ({INDEX: True}, [])


def test_a_terminal_that_is_closed(slow: Environment, connection: psycopg.Connection) -> None:
    """The kernel sends SIGHUP to the terminal's session, and what is printed from then on fails."""
    master, terminal = pty.openpty()
    started = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, *GATED],
        cwd=slow.root, env=slow.environ(), stdin=terminal, stdout=terminal, stderr=terminal,
        start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    reader = threading.Thread(target=_read, args=(master,), daemon=True)
    reader.start()
    wait_until(slow.url, BUILDING)
    os.close(master)
    began = time.monotonic()
    assert started.wait(60) != 0
    assert time.monotonic() - began < MOST_S + MARGIN_S
    assert (indexes(connection), gate_objects(connection)) == ({}, [])
    slow.alembic("upgrade", "head")
    assert (indexes(connection), gate_objects(connection)) == ({INDEX: True}, [])


def _read(master: int) -> None:
    try:
        while os.read(master, 4096):
            pass
    except OSError:
        pass


def test_a_hangup_that_is_ignored_stays_ignored(slow: Environment, connection: psycopg.Connection) -> None:
    """`nohup alembic upgrade head`."""
    started = subprocess.Popen(
        ["nohup", sys.executable, "-m", "alembic", *GATED], cwd=slow.root, env=slow.environ(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    wait_until(slow.url, BUILDING)
    started.send_signal(signal.SIGHUP)
    output, _ = started.communicate(timeout=60)
    assert started.returncode == 0, output
    assert (indexes(connection), gate_objects(connection)) == ({INDEX: True}, [])
