"""The four operations: they are Alembic's, each knows its way back, and importing them costs little."""

import subprocess
import sys

import pytest
from alembic.operations import Operations

from vaccine.operations import (
    CreateUniqueIndexConcurrentlyOp,
    DropUniqueIndexConcurrentlyOp,
    KeyWords,
    PolicyWords,
    ResolveDuplicatesOp,
    RestoreDuplicatesOp,
)
from vaccine.operations.key import Key, Policy

KEY = KeyWords("public", "issues", ["hash"], "status = 'open'")
POLICY = PolicyWords(["id DESC"], {"status": "resolved"}, [["7"], [8]], 2, "6f1c2e0a")


def test_a_revision_finds_them_on_op() -> None:
    assert Operations.resolve_duplicates
    assert Operations.restore_duplicates
    assert Operations.create_unique_index_concurrently
    assert Operations.drop_unique_index_concurrently


def test_each_knows_its_way_back() -> None:
    resolve, create = ResolveDuplicatesOp(KEY, POLICY), CreateUniqueIndexConcurrentlyOp("u", KEY, POLICY)
    assert resolve.reverse().plan == "6f1c2e0a"
    assert resolve.reverse().key is KEY
    assert resolve.reverse().reverse() is resolve
    assert create.reverse().name == "u"
    assert create.reverse().reverse() is create


@pytest.mark.parametrize("operation", [RestoreDuplicatesOp(KEY, "p"), DropUniqueIndexConcurrentlyOp("u", KEY)])
def test_a_way_back_alone_does_not_know_the_policy(
    operation: RestoreDuplicatesOp | DropUniqueIndexConcurrentlyOp,
) -> None:
    with pytest.raises(NotImplementedError, match="policy"):
        operation.reverse()


def test_words_become_the_key_and_the_policy() -> None:
    assert KEY.key() == Key("public", "issues", ("hash",), "status = 'open'")
    assert POLICY.policy() == Policy(("id DESC",), {"status": "resolved"}, (("7",), ("8",)), 2, "6f1c2e0a")


def test_the_import_does_not_load_the_driver() -> None:
    code = "import vaccine.operations, sys; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("columns", [[["hash"]], "hash", [1], None])
def test_columns_that_are_no_texts_are_refused_in_words(columns: object) -> None:
    from vaccine.errors import UsageError
    from vaccine.operations import KeyWords, PolicyWords

    with pytest.raises(UsageError, match="columns of the revision is no list of texts"):
        KeyWords("public", "issues", columns, None).key()  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="survivor of the revision is no list of texts"):
        PolicyWords(columns, {}, (), 1, "x").policy()  # type: ignore[arg-type]
