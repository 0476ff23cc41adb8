"""Alembic's connection lost at the commit of its stamp, before and behind it, in Vaccine's env.py and in others."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.alembic_env import make_environment, write_revision
from tests.faults.proxy import Proxy
from tests.faults.runner import Runner
from tests.faults.story import INDEX, KEY, POLICY, Story
from tests.faults.test_killed_everywhere import ALL, url_through

STAMP = re.compile(r"(INSERT INTO|DELETE FROM) (vaccine\.)?alembic_version")
UP, DOWN = ("upgrade", "head"), ("downgrade", "base")


class AtTheStamp(Proxy):
    """Cuts all connections at the commit of the stamp: with `done`, the server has committed by then."""

    def __init__(self, server_port: int, *, done: bool) -> None:
        super().__init__(server_port)
        self.done = done
        self.stamped = False

    def coming(self, text: str) -> None:
        if not self.stamped or not text.startswith("COMMIT"):
            return
        if not self.done:
            raise EOFError
        self.muted = True

    def statement(self, text: str, backend: int) -> None:
        super().statement(text, backend)
        self.stamped |= STAMP.match(text) is not None
        if self.muted:
            time.sleep(0.2)
            raise EOFError


EVERY = [("ours", False), ("theirs", True), ("ours", True), ("theirs", False)]


@pytest.mark.parametrize(("environment", "done"), EVERY if ALL else EVERY[:2])
def test_says_that_it_cannot_tell_and_what_to_look_at(
    story: Story, alembic: Runner, tmp_path: Path, environment: str, *, done: bool
) -> None:
    with story.clone(story.before) as name:
        for command in (UP, DOWN):
            with AtTheStamp(story.server.port, done=done) as proxy:
                lossy = url_through(story, name, proxy.port)
                root = made(tmp_path / f"{command[0]} lossy", lossy, environment)
                status, told = alembic.run(root, lossy, *command)
            assert status == 255, told
            assert "Traceback" not in told
            assert "cannot be told from here" in told
            assert f"alembic current`: where it {'shows' if command == UP else 'no longer shows'} aaaa11112222" in told
            url = story.server.url_of(name)
            root = made(tmp_path / command[0], url, environment)
            status, current = alembic.run(root, url, "current")
            assert ("aaaa11112222" in current) == (done == (command == UP)), current
            status, told = alembic.run(root, url, *command)
            assert status == 0, told
            status, current = alembic.run(root, url, "current")
            assert ("aaaa11112222" in current) == (command == UP), current


def made(root: Path, url: str, environment: str) -> Path:
    kind = make_environment(root, url, transaction_per_migration=None if environment == "ours" else True)
    write_revision(kind, KEY, POLICY, index=INDEX)
    return root
