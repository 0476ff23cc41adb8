"""What a downgrade needs is lost: it refuses before the index goes, or goes on as told, and says what is so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.faults.runner import Runner
from tests.faults.story import EXCESS, INDEX, TABLE, Story
from tests.runs import indexes
from vaccine.journal import prunable, prune

STAMP = "CREATE TABLE stamped AS TABLE vaccine.alembic_version"
BACK = """CREATE SCHEMA IF NOT EXISTS vaccine;
CREATE TABLE vaccine.alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO vaccine.alembic_version TABLE stamped; DROP TABLE stamped"""
ONE_BATCH = "(SELECT max(batch) FROM vaccine.journal)"


@dataclass(frozen=True)
class Loss:
    """What is done to the database, what the refusal says, and how many rows come back with `lost` (None: all)."""

    breaks: str
    said: str
    back: str


LOSSES = {
    "journal emptied": Loss("DELETE FROM vaccine.journal", "vaccine.journal does not know 120 of them any more", "0"),
    "a batch deleted": Loss(
        f"DELETE FROM vaccine.journal WHERE batch = {ONE_BATCH}", "rows of it were deleted", "SELECT sum(row_count)"
    ),
    "schema dropped": Loss(
        f"{STAMP}; DROP SCHEMA vaccine CASCADE; {BACK}", "vaccine.vaccination has no record of the upgrade", "0"
    ),
    "record deleted": Loss(
        "DELETE FROM vaccine.vaccination", "vaccine.vaccination has no record of the upgrade", str(EXCESS)
    ),
    "images truncated": Loss("TRUNCATE vaccine.images_1", "the images of 120 rows in vaccine.images_1 are gone", "0"),
    "some images deleted": Loss(
        "DELETE FROM vaccine.images_1 WHERE vaccine_row <= 3 AND vaccine_image = 'before'",
        "in vaccine.images_1 are gone (batch 1: 3 of 8",
        "SELECT sum(row_count - 3)",
    ),
    "images table dropped": Loss("DROP TABLE vaccine.images_1", "the images of 120 rows in vaccine.images_1", "0"),
    "pruned": Loss("", "are pruned (`vaccine journal prune`)", "0"),
}


def rows_of(url: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(psycopg.sql.SQL("SELECT t::text FROM {} AS t ORDER BY id").format(TABLE)).fetchall()


def state(url: str) -> tuple[dict[str, bool], list[Any], list[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return (
            indexes(connection),
            rows_of(url),
            connection.execute("SELECT version_num FROM vaccine.alembic_version").fetchall(),
        )


def open_again(url: str) -> int:
    """How many rows are as they were before the upgrade, of those that it resolved."""
    with psycopg.connect(url, autocommit=True) as connection:
        statement = psycopg.sql.SQL(
            "SELECT count(*) FROM {} AS t JOIN original AS o USING (id) WHERE t::text = o::text AND o.state = 'open'"
        ).format(TABLE)
        [(count,)] = connection.execute(statement).fetchall()
        return int(count) - (180 - EXCESS)


@pytest.mark.parametrize("loss", LOSSES)
def test_it_refuses_before_the_drop_and_goes_on_as_told(story: Story, alembic: Runner, loss: str) -> None:
    lost = LOSSES[loss]
    with story.clone(story.after) as name:
        url = story.server.url_of(name)
        with psycopg.connect(url, autocommit=True) as connection:
            if loss == "pruned":
                prune(connection, prunable(connection, "6f1c2e0a", 0))
            else:
                connection.execute(lost.breaks)
            back = int(lost.back) if lost.back.isdigit() else None
            if back is None:
                [(back,)] = connection.execute(f"{lost.back} FROM vaccine.journal").fetchall()
        before = state(url)
        for options in ((), ("-x", "vaccine.restore=strict")):
            status, told = alembic.run(story.root, url, *options, "downgrade", "base")
            assert status != 0
            assert lost.said in told
            assert "nothing was changed" in told
            assert "-x vaccine.restore=lost" in told
            assert "Traceback" not in told
            assert state(url) == before
            assert before[0] == {INDEX: True}
        status, told = alembic.run(story.root, url, "-x", "vaccine.restore=lost", "downgrade", "base")
        assert status == 0, told
        assert state(url)[0] == {}
        assert state(url)[2] == []
        assert open_again(url) == back
        last = told.strip().splitlines()[-1]
        if "record" not in lost.said:
            assert last.startswith(f"restored {back}, kept 0 (edited since), could not go back 0, lost {EXCESS - back}")
        if loss != "schema dropped":
            with psycopg.connect(url, autocommit=True) as connection:
                counted = connection.execute("SELECT coalesce(sum(restored_count), 0) FROM vaccine.journal").fetchone()
                assert counted == (back,)
                wrong = "SELECT FROM vaccine.journal WHERE outcome = 'restored' AND restored_count <> row_count"
                assert connection.execute(wrong).fetchall() == []
        status, told = alembic.run(story.root, url, "upgrade", "head")  # what is left of the evidence does not block
        assert status == 0, told
        status, told = alembic.run(story.root, url, "downgrade", "base")
        assert status == 0, told
        assert open_again(url) == back


@pytest.mark.parametrize("which", ["vaccine_batch % 2 = 0", "TRUE"], ids=["of some batches", "of all"])
def test_the_one_new_image_that_a_batch_shares_is_spared(story: Story, alembic: Runner, which: str) -> None:
    with story.clone(story.after) as name:
        url = story.server.url_of(name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DELETE FROM vaccine.images_1 WHERE vaccine_image = 'after' AND {which}")
            connection.execute(psycopg.sql.SQL("UPDATE {} SET weight = 7 WHERE id = 100").format(TABLE))
            [(edited,)] = connection.execute(
                "SELECT count(*) FROM vaccine.journal WHERE primary_keys @> '[[\"100\"]]'"
            ).fetchall()
        assert edited == 1
        status, told = alembic.run(story.root, url, "downgrade", "base")
        assert status == 0, told
        assert open_again(url) == EXCESS - 1
        assert told.strip().splitlines()[-1] == f"restored {EXCESS - 1}, kept 1 (edited since), could not go back 0"


@pytest.mark.parametrize("gone", ["DROP TABLE {}", "ALTER TABLE {} RENAME TO other"], ids=["dropped", "renamed"])
def test_a_table_that_is_gone_does_not_block_the_chain_for_ever(story: Story, alembic: Runner, gone: str) -> None:
    with story.clone(story.after) as name:
        url = story.server.url_of(name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL(gone).format(TABLE))
        status, told = alembic.run(story.root, url, "downgrade", "base")
        assert status != 0
        assert "was dropped or renamed since the upgrade: 120 rows that were resolved in it are not restored" in told
        status, told = alembic.run(story.root, url, "-x", "vaccine.restore=lost", "downgrade", "base")
        assert status == 0, told
        assert (
            told.strip().splitlines()[-1].startswith("restored 0, kept 0 (edited since), could not go back 0, lost 120")
        )
        with psycopg.connect(url, autocommit=True) as connection:
            assert connection.execute("SELECT version_num FROM vaccine.alembic_version").fetchall() == []
            assert connection.execute("SELECT count(*) FROM vaccine.images_1").fetchone() > (120,)
