"""Rows that the table does not take back: asked before the index goes; else isolated, all others restored, and told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from tests.faults.runner import Runner
from tests.faults.story import EXCESS, INDEX, TABLE, Story
from tests.faults.test_lost_evidence import open_again, state

OWNER = f"owner_{os.getpid()}"
FUNCTION = "CREATE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN {}; END $$; "
TRIGGER = 'CREATE TRIGGER meddle {} UPDATE ON public."Issues %" FOR EACH ROW EXECUTE FUNCTION public.meddle()'


def trigger(body: str, of: str = "NEW", when: str = "BEFORE") -> str:
    return FUNCTION.format(body, of) + TRIGGER.format(when)


NO_TRIGGER = "DROP FUNCTION public.meddle CASCADE"
ASKED = {  # what is broken, what the refusal says, what mends it, how many rows cannot go back
    "a trigger keeps it closed": (
        trigger("IF OLD.state = 'resolved' THEN NEW.state := 'resolved'; END IF;"),
        "state did not come back: a trigger or a rule of the table interferes", NO_TRIGGER, EXCESS,
    ),
    "a trigger swallows it": (trigger("", "NULL"), "the UPDATE left no row", NO_TRIGGER, EXCESS),
    "a trigger raises": (
        trigger("IF NEW.state = 'open' THEN RAISE 'closed is closed'; END IF;"), "closed is closed", NO_TRIGGER, EXCESS,
    ),
    "a check, not valid": (
        'ALTER TABLE public."Issues %" ADD CONSTRAINT stays CHECK (state <> \'open\' OR id <> 100) NOT VALID',
        "1 row (primary key 100): the check constraint stays refuses it",
        'ALTER TABLE public."Issues %" DROP CONSTRAINT stays', 1,
    ),
    "a unique index": (
        'CREATE UNIQUE INDEX theirs ON public."Issues %" (tenant) WHERE state = \'open\' AND id IN (40, 100)',
        "1 row (primary key 100): the unique index theirs holds another row with its key", "DROP INDEX theirs", 1,
    ),
    "a foreign key": (
        ("CREATE TABLE states (state text PRIMARY KEY); INSERT INTO states VALUES ('resolved'), ('closed');"
        'GRANT ALL ON states TO PUBLIC;'
        'ALTER TABLE public."Issues %" ADD CONSTRAINT known FOREIGN KEY (state) REFERENCES states NOT VALID'),
        "the foreign key known finds no row in public.states", "", EXCESS,
    ),
}  # fmt: skip
LATER = {
    "a trigger raises for one row": trigger("IF NEW.id = 160 AND NEW.state = 'open' THEN RAISE 'not this'; END IF;"),
    "a trigger raises late for one row": trigger(
        "IF NEW.id = 160 AND NEW.state = 'open' THEN RAISE 'not this'; END IF;", when="AFTER"
    ),
}


@contextmanager
def owned(story: Story, *, upgraded: bool = True) -> Iterator[tuple[str, str]]:
    """A database after the upgrade whose table belongs to a plain role: URLs of a superuser, and of it."""
    with story.clone(story.after if upgraded else story.before) as name:
        url = story.server.url_of(name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {OWNER} LOGIN")
            connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(TABLE, sql.Identifier(OWNER)))
            connection.execute(f"GRANT ALL ON SCHEMA public TO {OWNER}")
            connection.execute(f"GRANT CREATE ON DATABASE {connection.info.dbname} TO {OWNER}")
            if upgraded:
                connection.execute(f"GRANT ALL ON SCHEMA vaccine TO {OWNER}")
                connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA vaccine, public TO {OWNER}")
                connection.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA vaccine TO {OWNER}")
        try:
            yield url, url.replace("postgres@", f"{OWNER}@")
        finally:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(sql.SQL("ALTER TABLE {} OWNER TO postgres").format(TABLE))
                connection.execute(f"DROP OWNED BY {OWNER} CASCADE; DROP ROLE {OWNER}")


@pytest.mark.parametrize("what", ASKED)
def test_it_is_asked_before_the_index_goes(story: Story, alembic: Runner, what: str) -> None:
    breaks, said, mends, stuck = ASKED[what]
    with owned(story) as (url, plain):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(breaks)
        before = state(url)
        status, told = alembic.run(story.root, plain, "downgrade", "base")
        assert status != 0
        assert said in told
        assert "could not go back; nothing was changed [restore]" in told
        assert state(url) == before
        assert before[0][INDEX]
        status, told = alembic.run(story.root, plain, "-x", "vaccine.restore=partial", "downgrade", "base")
        assert status == 0, told
        assert told.strip().splitlines()[-1] == (
            f"restored {EXCESS - stuck}, kept 0 (edited since), could not go back {stuck}"
        )
        assert INDEX not in state(url)[0]
        with psycopg.connect(url, autocommit=True) as connection:
            counted = connection.execute(
                "SELECT sum(restored_count), sum(cardinality(skipped_rows)), bool_or(outcome = 'restored'"
                " AND restored_count < row_count) FROM vaccine.journal"
            ).fetchone()
            assert counted == (EXCESS - stuck, stuck, False)
        if what != "a check, not valid":  # one for all
            return
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(mends)
        for command in (("upgrade", "head"), ("downgrade", "base")):
            status, told = alembic.run(story.root, plain, *command)
            assert status == 0, told
        assert open_again(url) == EXCESS


@pytest.mark.parametrize("what", LATER)
def test_what_could_not_be_asked_is_isolated(story: Story, alembic: Runner, what: str) -> None:
    with owned(story) as (url, plain):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(LATER[what])
        status, told = alembic.run(story.root, plain, "downgrade", "base")
        assert status != 0
        assert "could not go back, of public.Issues %: 1 row (160): not this" in told
        assert f"restored {EXCESS - 1}, kept 0 (edited since), could not go back 1" in told
        assert "Traceback" not in told
        assert open_again(url) == EXCESS - 1
        assert state(url)[0] == {}
        assert state(url)[2]  # still stamped: the same command goes on
        with psycopg.connect(url, autocommit=True) as connection:
            [(outcomes, left)] = connection.execute(
                "SELECT count(*) FILTER (WHERE outcome = 'restoring'), sum(cardinality(skipped_rows))"
                " FROM vaccine.journal"
            ).fetchall()
            assert (outcomes, left) == (1, 1)
            connection.execute(NO_TRIGGER)
        status, told = alembic.run(story.root, plain, "downgrade", "base")
        assert status == 0, told
        assert told.strip().splitlines()[-1] == "restored 1, kept 0 (edited since), could not go back 0"
        assert open_again(url) == EXCESS
