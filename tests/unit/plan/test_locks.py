"""Lock modes; PostgreSQL itself holds the truth: tests/integration/test_locks.py asks it."""

import itertools

import pytest

from vaccine.plan.locks import LockMode


def test_conflicts_are_symmetric() -> None:
    for one, other in itertools.product(LockMode, LockMode):
        assert one.conflicts(other) == other.conflicts(one)


def test_what_a_lock_blocks_is_said_in_words() -> None:
    assert LockMode.ACCESS_EXCLUSIVE.blocks == "blocks all reads and writes"
    assert LockMode.SHARE.blocks == "blocks writes, not reads"
    assert "neither reads nor writes; VACUUM" in LockMode.SHARE_UPDATE_EXCLUSIVE.blocks
    assert LockMode.ROW_EXCLUSIVE.blocks == "blocks neither reads nor writes"


@pytest.mark.parametrize("mode", list(LockMode))
def test_every_mode_has_words(mode: LockMode) -> None:
    assert mode.blocks.startswith("blocks")
