"""The table is no longer as the upgrade left it, and its rows can go back all the same: they do, and it is said."""

from __future__ import annotations

import psycopg
import pytest

from tests.faults.runner import Runner
from tests.faults.story import EXCESS, INDEX, Story
from tests.faults.test_lost_evidence import open_again, state
from tests.faults.test_refused_rows import owned, trigger

LOCK = (
    'ALTER TABLE public."Issues %" ADD version int NOT NULL DEFAULT 1; ALTER TABLE original ADD version int DEFAULT 1;'
    + trigger("IF NEW.version <> OLD.version THEN RAISE 'stale'; END IF; NEW.version := OLD.version + 1;")
)
AUDIT = "CREATE TABLE audit_log (id int, was text); GRANT ALL ON audit_log TO PUBLIC;" + trigger(
    "INSERT INTO public.audit_log VALUES (OLD.id, OLD.state);"
)


def run_sql(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_columns_that_were_widened(story: Story, alembic: Runner) -> None:
    with story.clone(story.after) as name:
        url = story.server.url_of(name)
        wider = "ALTER TABLE {} ALTER tenant TYPE bigint, ALTER weight TYPE float8, ALTER state TYPE varchar(512)"
        run_sql(url, wider.format('"Issues %"'), 'UPDATE "Issues %" SET tenant = 5000000000 WHERE id = 100')
        status, told = alembic.run(story.root, url, "downgrade", "base")
        assert status != 0  # state was assigned, and text holds more than varchar
        assert "state was text, now character varying(512)" in told
        run_sql(url, 'ALTER TABLE "Issues %" ALTER state TYPE text')
        status, told = alembic.run(story.root, url, "downgrade", "base")
        assert status == 0, told
        assert told.strip().splitlines()[-1] == f"restored {EXCESS - 1}, kept 1 (edited since), could not go back 0"
        assert open_again(url) == EXCESS - 1


def test_an_index_that_was_renamed(story: Story, alembic: Runner) -> None:
    with story.clone(story.after) as name:
        url = story.server.url_of(name)
        run_sql(url, f"ALTER INDEX {psycopg.sql.Identifier(INDEX).as_string(None)} RENAME TO other")
        status, told = alembic.run(story.root, url, "downgrade", "base")
        assert status == 0, told
        assert f"{INDEX} is called other now: dropping it under that name" in told
        assert state(url)[0] == {}
        assert open_again(url) == EXCESS


def test_an_index_of_the_same_meaning_that_is_not_known(story: Story, alembic: Runner) -> None:
    with story.clone(story.after) as name:
        url = story.server.url_of(name)
        run_sql(
            url,
            f"DROP INDEX {psycopg.sql.Identifier(INDEX).as_string(None)}",
            'CREATE UNIQUE INDEX other ON "Issues %" (tenant, "the hash") WHERE state = \'open\''
            ' AND "the hash" IS NOT NULL',
        )
        before = state(url)
        status, told = alembic.run(story.root, url, "downgrade", "base")
        assert status != 0
        assert "the unique index other holds another row with its key" in told
        assert state(url) == before
        run_sql(url, f"ALTER INDEX other RENAME TO {psycopg.sql.Identifier(INDEX).as_string(None)}")
        status, told = alembic.run(story.root, url, "downgrade", "base")
        assert status == 0, told
        assert open_again(url) == EXCESS


@pytest.mark.parametrize("who", ["superuser", "owner"])
def test_an_optimistic_lock_lets_rows_back(story: Story, alembic: Runner, who: str) -> None:
    with owned(story, upgraded=False) as (url, plain):
        run_sql(url, LOCK)
        mine = url if who == "superuser" else plain
        for command in (("upgrade", "head"), ("downgrade", "base")):
            status, told = alembic.run(story.root, mine, *command)
            assert status == 0, told
        assert told.strip().splitlines()[-1] == f"restored {EXCESS}, kept 0 (edited since), could not go back 0"
        if who == "superuser":
            assert open_again(url) == EXCESS
        else:
            assert "a trigger of public.Issues % stamped version on restored rows" in told
            with psycopg.connect(url, autocommit=True) as connection:
                live = "SELECT count(*) FROM \"Issues %\" WHERE state = 'open'"
                assert connection.execute(live).fetchone() == (180,)


def test_what_triggers_wrote_elsewhere_is_said(story: Story, alembic: Runner) -> None:
    with owned(story, upgraded=False) as (url, plain):
        run_sql(url, AUDIT)
        for command in (("upgrade", "head"), ("downgrade", "base")):
            status, told = alembic.run(story.root, plain, *command)
            assert status == 0, told
        assert (
            "triggers of public.Issues % changed rows of other tables on the way back, which stay so: "
            f"audit_log ({EXCESS} inserted)" in told
        )
        assert open_again(url) == EXCESS
