"""Two runs at once on one table: one waits for the other, and the end state is that of one run."""

from __future__ import annotations

import psycopg
import pytest

from tests.alembic_env import Environment
from tests.faults.runner import Runner
from tests.faults.story import Story, end_state, lost
from tests.faults.test_blockers import wait_until
from tests.runs import snapshot

UP, DOWN = ("upgrade", "head"), ("downgrade", "base")


@pytest.mark.parametrize(
    ("first_command", "second_command"), [(UP, UP), (DOWN, DOWN), (DOWN, UP), (UP, DOWN)], ids=lambda each: each[0]
)
def test_neither_harms(
    story: Story,
    alembic: Runner,
    first_command: tuple[str, str],
    second_command: tuple[str, str],
) -> None:
    """The first is held up in its midst; the second starts then; the first goes on."""
    of = story.before if first_command == UP else story.after
    with story.clone(of) as undisturbed:
        alembic.run(story.root, story.server.url_of(undisturbed), *first_command)
        wanted = end_state(story.server.url_of(undisturbed))
    with story.clone(of) as name:
        url = story.server.url_of(name)
        environment = Environment(story.root, url)
        with snapshot(url) as old:
            if first_command == DOWN:
                old.execute('SELECT FROM public."Issues %"')
            alembic.start(story.root, url, first_command)
            wait_until(url, "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')")
            one = environment.start(*second_command)
            wait_until(url, "SELECT count(*) >= 3 FROM pg_stat_activity WHERE datname = current_database()")
        first_status, first_output = alembic.wait()
        output, _ = one.communicate(timeout=120)
        assert first_status == 0, first_output
        assert "Traceback" not in output
        assert lost(url) == 0
        state = end_state(url)
        if state != wanted:  # the second came after the first had ended, and did its own work
            with psycopg.connect(url, autocommit=True) as connection:
                versions = connection.execute("SELECT count(*) FROM vaccine.alembic_version").fetchone()
            assert versions == (1 if second_command == UP else 0,), output
        assert state == wanted or (first_command, second_command) in {(UP, DOWN), (DOWN, UP)}, output
