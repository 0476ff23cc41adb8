"""Killed anywhere while the gate goes up, stands, or comes down: the next run, of whatever kind, leaves none of it."""

from __future__ import annotations

import os
import re

import psycopg
import pytest

from tests.faults.proxy import Sent
from tests.faults.runner import Runner
from tests.faults.story import EXCESS, INDEX, Story
from tests.faults.test_killed_everywhere import DOWN, UP, disturb, kill, points, undisturbed

GATED = ("-x", "vaccine.gate=always", *UP)
OF_THE_GATE = re.compile(
    r"\s*(LOCK TABLE|CREATE (OR REPLACE FUNCTION|TRIGGER|UNLOGGED)|DROP (TRIGGER|FUNCTION|INDEX CONC))"
)
ALL = os.environ.get("VACCINE_FAULTS") == "all"


def chosen(sent: list[Sent]) -> list[int]:
    gate = [each.number for each in sent if OF_THE_GATE.match(each.text)]
    assert len(gate) >= 6, [each.text[:60] for each in sent]
    return points(sent, 1) if ALL else sorted({*gate, *(number + 1 for number in gate)})


@pytest.mark.parametrize("how", ["kill -9 of the client", "pg_terminate_backend"])
def test_the_next_upgrade_without_the_gate_takes_it_down(story: Story, alembic: Runner, how: str) -> None:
    def terminate(sent: Sent, _: int) -> None:
        with psycopg.connect(story.server.url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", (sent.backend,))

    wanted, sent = undisturbed(story, alembic, GATED)
    assert (wanted["gate"], wanted["indexes"]) == ([], {INDEX: True})
    act = kill if how.startswith("kill") else terminate
    wrong = []
    for at in chosen(sent):
        _, state = disturb(story, alembic, GATED, at, act, then=[UP])
        if state != wanted:
            wrong.append((at, sent[at - 1].text, {name: state[name] for name in state if state[name] != wanted[name]}))
    print(f"{how}: {len(chosen(sent))} points of {len(sent)}")
    assert wrong == []


def test_giving_the_upgrade_up_takes_it_down(story: Story, alembic: Runner) -> None:
    wanted, _ = undisturbed(story, alembic, DOWN)
    _, gated = undisturbed(story, alembic, GATED)
    begun = next(each.number for each in gated if "journal_batch_seq" in each.text)
    for at in [each for each in chosen(gated) if each > begun]:
        _, state = disturb(story, alembic, GATED, at, kill, then=[("stamp", "head"), DOWN])
        assert (state["gate"], state["indexes"], state["version"]) == ([], {}, []), gated[at - 1].text
        assert state["rows"] == wanted["rows"], gated[at - 1].text
        killed_behind = [("restored", rows, rows, 0) for rows in range(1, EXCESS + 1)]  # the first batches, or all
        assert state["journal"] in ([], *([each] for each in killed_behind))
