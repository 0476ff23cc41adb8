"""Killed at any statement of an upgrade or a downgrade, the run is run again, and all is as if nothing had happened.

Every statement that a run sends is a point, those of Alembic included; tests/faults/proxy.py counts them. By
default a part of the points is tried, with all those that change something lastingly among them;
VACCINE_FAULTS=all tries every one.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence

import psycopg
import pytest

from tests.conftest import known_servers
from tests.faults.proxy import Proxy, Sent
from tests.faults.runner import Runner
from tests.faults.story import EXCESS, INDEX, Story, end_state, lost
from vaccine.demo.server import FAST, Server, serve

ALL = os.environ.get("VACCINE_FAULTS") == "all"
STRIDE = 1 if ALL else 41
# Batches double, whatever the clock says: a run that is disturbed sends the statements of the one that was counted.
DOUBLING = ("-x", "vaccine.batch_ms=10000")
UP, DOWN = (*DOUBLING, "upgrade", "head"), (*DOUBLING, "downgrade", "base")
LASTING = re.compile(
    r"^\s*(CREATE UNIQUE INDEX CONC|DROP INDEX CONC|UPDATE ONLY|INSERT INTO vaccine\.journal"
    r"|EXECUTE \"vaccine_(batch|restore))"
)


def url_through(story: Story, database: str, port: int) -> str:
    return story.server.url_of(database).replace(f":{story.server.port}/", f":{port}/")


def undisturbed(story: Story, alembic: Runner, command: tuple[str, ...]) -> tuple[dict[str, object], list[Sent]]:
    """The end state of a run that nobody disturbs, and the statements that it sent."""
    with story.clone(story.before if "upgrade" in command else story.after) as name:
        with Proxy(story.server.port) as proxy:
            status, output = alembic.run(story.root, url_through(story, name, proxy.port), *command)
        assert status == 0, output
        return end_state(story.server.url_of(name)), proxy.sent


def points(sent: list[Sent], stride: int) -> list[int]:
    lasting = [each.number for each in sent if LASTING.match(each.text)]
    return sorted({*range(1, len(sent) + 1, stride), *(lasting if stride == 1 else lasting[::2]), len(sent)})


def disturb(
    story: Story,
    alembic: Runner,
    command: tuple[str, ...],
    at: int,
    act: Callable[[Sent, int], None],
    then: Sequence[tuple[str, ...]] = (),
    look: Callable[[int, str, str], None] = lambda status, output, url: None,
) -> tuple[bool, dict[str, object]]:
    """Run, disturb at one statement, and run again or `then`; whether the statement was reached, and the end state.

    `look` sees how the disturbed run ended: its status, what it printed, and the database's URL.
    """
    with story.clone(story.before if "upgrade" in command else story.after) as name:
        url = story.server.url_of(name)
        pid: list[int] = []
        with Proxy(story.server.port, at, lambda sent: act(sent, pid[0])) as proxy:
            with proxy.lock:  # nothing is counted before the process is known
                pid.append(alembic.start(story.root, url_through(story, name, proxy.port), command))
            ended, first = alembic.wait()
            reached = proxy.acted
        look(ended, first, url)
        assert lost(url) == 0, f"{command} disturbed at {at}: rows are gone\n{first}"
        for again in then or (command,):
            status, output = alembic.run(story.root, url, *again)
            assert status == 0, f"{command} disturbed at {at}:\n{first}\nand then {again}:\n{output}"
        assert lost(url) == 0
        return reached, end_state(url)


def kill(_: Sent, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("how", ["kill -9 of the client", "pg_terminate_backend"])
@pytest.mark.parametrize("command", [UP, DOWN], ids=["upgrade", "downgrade"])
def test_run_again_after_any_statement(
    story: Story, alembic: Runner, command: tuple[str, ...], how: str, record_property: Callable[[str, object], None]
) -> None:
    def terminate(sent: Sent, _: int) -> None:
        with psycopg.connect(story.server.url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", (sent.backend,))

    wanted, sent = undisturbed(story, alembic, command)
    check_story(wanted, command)
    tried = reached = 0
    wrong = []
    for at in points(sent, STRIDE):
        hit, state = disturb(story, alembic, command, at, kill if how.startswith("kill") else terminate)
        tried, reached = tried + 1, reached + hit
        if state != wanted:
            wrong.append((at, sent[at - 1].text, {name: state[name] for name in state if state[name] != wanted[name]}))
    record_property("points", tried)
    print(f"{command[-2]}, {how}: {reached} of {tried} points reached, {len(sent)} statements in all")
    assert wrong == []
    assert reached >= tried - 2  # the last ones may not come: polls of a build are more or fewer


KEEPS = {**FAST, "synchronous_commit": "on"}


@pytest.fixture
def private() -> Iterator[Server]:
    """A server of our own to crash, that keeps what it has committed."""
    with serve(known_servers()["18"], KEEPS) as server:
        yield server


@pytest.mark.parametrize("command", [UP, DOWN], ids=["upgrade", "downgrade"])
def test_run_again_after_a_crash_of_the_server(
    private: Server, story_of: Callable[..., Story], alembic: Runner, command: tuple[str, ...]
) -> None:
    story = story_of(private)
    wanted, sent = undisturbed(story, alembic, command)

    def crash(_: Sent, __: int) -> None:
        story.server.stop("immediate")
        story.server.start(KEEPS)

    chosen = points(sent, len(sent))
    for at in chosen if ALL else chosen[1::3]:
        _, state = disturb(story, alembic, command, at, crash)
        assert state == wanted, f"statement {at}: {sent[at - 1].text}"


def check_story(state: dict[str, object], command: tuple[str, ...]) -> None:
    """The undisturbed run did what the story says: else all comparisons were worth nothing."""
    journal = state["journal"]
    if command == UP:
        assert journal == [("resolved", EXCESS, 0, 0)]
        assert state["indexes"] == {INDEX: True}
    else:
        assert journal == [("restored", EXCESS, EXCESS, 0)]
        assert state["indexes"] == {}
