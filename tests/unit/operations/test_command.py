"""The commands that are advised reach one revision alone, whatever the graph; and show no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.script.revision import Revision, RevisionMap
from hypothesis import given
from hypothesis import strategies as st

from vaccine.operations.session.command import alembic_command, undo_target


@st.composite
def graphs(draw: st.DrawFn) -> list[Revision]:
    """Revisions with several bases, branches, merges, dependencies and labels."""
    revisions: list[Revision] = []
    for number in range(draw(st.integers(2, 8))):
        older = [each.revision for each in revisions]
        down = draw(st.lists(st.sampled_from(older), max_size=2, unique=True)) if older else []
        if len(down) == 2 and set(lineage(revisions, down[0])) & set(lineage(revisions, down[1])) & set(down):
            down = down[:1]  # no merge of a revision with its own ancestor
        needs = draw(st.lists(st.sampled_from(older), max_size=1)) if older else []
        needs = [each for each in needs if not set(lineage(revisions, each)) & set(down)]
        label = f"label{number}" if not down and draw(st.booleans()) else None
        revisions.append(Revision(f"rev{number}", tuple(down), tuple(needs) or None, label))
    return revisions


def lineage(revisions: list[Revision], of: str) -> list[str]:
    """A revision and its ancestors by down_revision."""
    by_id = {each.revision: each for each in revisions}
    found, todo = [], [of]
    while todo:
        found.append(todo.pop())
        todo += by_id[found[-1]]._versioned_down_revisions
    return found


def standing_on(revisions: list[Revision], of: str) -> set[str]:
    """A revision and all that need it, by down_revision or depends_on."""
    found = {of}
    for each in revisions:  # they are in order
        if found & set(each._all_down_revisions):
            found.add(each.revision)
    return found


@given(graphs(), st.data())
def test_undo_reaches_the_revision_and_what_stands_on_it(revisions: list[Revision], data: st.DataObject) -> None:
    history = RevisionMap(lambda: revisions)
    heads = history.heads
    chosen = data.draw(st.sampled_from(revisions))
    below = data.draw(st.sampled_from(chosen._versioned_down_revisions or (None,)))
    target = undo_target(chosen.revision, below)
    dropped = {each.revision for each in history.iterate_revisions(heads, target, select_for_downgrade=True)}
    assert dropped == standing_on(revisions, chosen.revision)


def test_the_bare_forms_reach_other_branches() -> None:
    """What was printed before: it is known to be wrong, else the test above proves nothing."""
    revisions = [Revision("aaa", None), Revision("bbb", None), Revision("ccc", "aaa"), Revision("ddd", "aaa")]
    history = RevisionMap(lambda: revisions)
    for bare, wanted in (("base", {"aaa", "bbb", "ccc", "ddd"}), ("aaa", {"ccc", "ddd"})):
        found = history.iterate_revisions(history.heads, bare, select_for_downgrade=True)
        assert {each.revision for each in found} == wanted


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ((), "alembic"),
        ((Path("alembic.ini"),), "alembic"),
        ((Path("./alembic.ini").resolve(),), "alembic"),
        ((Path("my app/alembic.ini"),), "alembic -c 'my app/alembic.ini'"),
        ((None, "billing"), "alembic -n billing"),
        ((None, "alembic", ["tenant=t2", "vaccine.drift=accept"]), "alembic -x tenant=t2"),
        ((None, "alembic", ["url=postgresql://me:geheim@db/app"]), "alembic -x url=…"),
        ((None, "alembic", ["password=geheim"]), "alembic -x password=…"),
        ((None, "alembic", ["postgresql://me:geheim@db/app"]), "alembic -x =…"),
        ((None, "alembic", ["tenant=t 2; rm"]), "alembic -x tenant=…"),
    ],
)
def test_the_environment_is_named_and_no_secret(arguments: tuple[object, ...], command: str) -> None:
    assert alembic_command(*arguments) == command  # type: ignore[arg-type]


def test_a_revision_id_is_quoted_for_the_shell() -> None:
    assert undo_target("a b", None) == "'a b'@base"
