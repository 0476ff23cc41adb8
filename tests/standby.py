"""A streaming standby of a server of the test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vaccine.demo.server import Server, _free_port


@contextmanager
def standby(server: Server) -> Iterator[Server]:
    """A hot standby that follows the server, stopped and removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="vaccine-standby-"))
    home.chmod(0o755)
    copy = Server(server.bindir, home / "data", _free_port(), server.account)
    try:
        copy.data.mkdir(mode=0o700)
        if server.account:
            shutil.chown(copy.data, server.account)
        server.run("pg_basebackup", "-D", str(copy.data), "-d", server.url, "-R", "-X", "stream", "-c", "fast")
        copy.start({"hot_standby": "on", "max_connections": "60", "max_prepared_transactions": "10"})
        yield copy
    finally:
        copy.stop("immediate")
        shutil.rmtree(home, ignore_errors=True)
