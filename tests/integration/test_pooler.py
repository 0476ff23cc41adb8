"""pgbouncer in transaction mode is refused; in session mode, and without it, a run goes on."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from vaccine.demo.server import Server
from vaccine.operations.errors import PreflightError
from vaccine.operations.session.pooler import refuse_pooler

PGBOUNCER = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"


@contextmanager
def pgbouncer(server: Server, folder: Path, **settings: object) -> Iterator[int]:
    """pgbouncer before a server; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lines = {"listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "any", "unix_socket_dir": "", **settings}
    account = "nobody" if os.geteuid() == 0 else None
    ini = folder / "pgbouncer.ini"
    ini.write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port} user=postgres\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in lines.items())
    )
    if account:
        for place in (folder, *folder.parents[:-2]):
            place.chmod(place.stat().st_mode | 0o055)
        shutil.chown(ini, account, pwd.getpwnam(account).pw_gid)
    started = subprocess.Popen(
        [PGBOUNCER, str(ini)], user=account, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
    )
    try:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert started.poll() is None, "pgbouncer did not start"
                assert time.monotonic() < until, "pgbouncer does not listen"
                time.sleep(0.05)
        yield port
    finally:
        started.kill()
        started.wait()


def connect(url: str, port: int) -> psycopg.Connection:
    return psycopg.connect(url, port=port, autocommit=True, prepare_threshold=None)


@pytest.mark.skipif(not Path(PGBOUNCER).exists(), reason="pgbouncer is not installed")
@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"pool_mode": "transaction"}, True),
        ({"pool_mode": "transaction", "default_pool_size": 1}, True),
        ({"pool_mode": "transaction", "server_round_robin": 1}, True),
        ({"pool_mode": "statement"}, True),
        ({"pool_mode": "session"}, False),
    ],
)
def test_a_pooler_passes_only_in_session_mode(
    server: Server, database: str, tmp_path: Path, settings: dict[str, object], refused: bool
) -> None:
    with pgbouncer(server, tmp_path, **settings) as port:
        if refused:
            with pytest.raises(PreflightError, match="pooler in transaction mode"):
                refuse_pooler(partial(connect, database, port))
        else:
            refuse_pooler(partial(connect, database, port))


@pytest.mark.every_version
def test_a_direct_connection_passes(server: Server, database: str) -> None:
    refuse_pooler(partial(connect, database, server.port))
