"""What the faults share: the story's databases, made once for each server, and a process that forks `alembic`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from tests.faults.runner import Runner, runner
from tests.faults.story import Story, environment, make
from vaccine.demo.server import Server


@pytest.fixture(scope="session")
def alembic() -> Iterator[Runner]:
    with runner() as started:
        yield started


@pytest.fixture(scope="session")
def story_of(alembic: Runner, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Server], Story]:
    """The story on a server: databases `before` and `after` an undisturbed upgrade, to be cloned."""

    def build(server: Server) -> Story:
        root = environment(tmp_path_factory.mktemp("faults"), server.url)
        names = f"before_{os.getpid()}_{server.port}", f"after_{os.getpid()}_{server.port}"
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(names[0])))
            with psycopg.connect(server.url_of(names[0]), autocommit=True) as connection:
                make(connection)
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, names[::-1])))
        status, output = alembic.run(root, server.url_of(names[1]), "upgrade", "head")
        assert status == 0, output
        return Story(server, root, *names)

    return build


@pytest.fixture(scope="session")
def story(server: Server, story_of: Callable[[Server], Story]) -> Iterator[Story]:
    built = story_of(server)
    yield built
    with psycopg.connect(server.url, autocommit=True) as admin:
        for name in (built.before, built.after):
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
