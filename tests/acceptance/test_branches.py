"""The commands that are printed, run as they stand: with several bases and heads they touch this revision alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg

from tests.alembic_env import Environment, make_environment, write_revision
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE
from tests.runs import snapshot

STAMPED = "SELECT version_num FROM vaccine.alembic_version ORDER BY 1"
OTHER = '''"""A table of another branch."""

from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {needs!r}


def upgrade() -> None:
    op.execute("CREATE TABLE {revision} (id integer)")


def downgrade() -> None:
    op.execute("DROP TABLE {revision}")
'''


def other(environment: Environment, revision: str, down: object = None, *, labels: object = None) -> None:
    words = {"revision": revision, "down": down, "labels": labels, "needs": None}
    (environment.versions / f"{revision}.py").write_text(OTHER.format(**words))


def run(environment: Environment, command: str, folder: Path, status: int = 0) -> str:
    """A printed command, verbatim, in a shell."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env={**environment.environ(), "PATH": path},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def tables(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        " AND relname LIKE 'app%' ORDER BY 1"
    )
    return [row[0] for row in rows.fetchall()]


def printed(text: str, word: str) -> str:
    found = re.search(rf"{word}.*?(alembic .+)$", text, re.MULTILINE)
    assert found is not None, text
    return found.group(1)


def test_what_vaccine_revision_prints(database: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute(TABLE)
    before = connection.execute(ROWS).fetchall()
    folder = tmp_path / "the project"
    environment = make_environment(folder / "db", database)
    other(environment, "app_a", labels=("app",))
    other(environment, "app_b", "app_a")
    environment.alembic("upgrade", "heads")
    there, stamped = tables(connection), connection.execute(STAMPED).fetchall()
    key = "issues.hash --where \"status = 'open' AND hash IS NOT NULL\" --assign status=resolved"
    run(environment, f"vaccine plan {key} -o plan.json", folder)
    said = run(environment, "vaccine revision plan.json -c db/alembic.ini --head base", folder)
    up, down = printed(said, "Next"), printed(said, "Undo")
    for _ in range(2):
        run(environment, up, folder)
        assert len(connection.execute(STAMPED).fetchall()) == 2
        assert "restored 3 rows" in run(environment, down, folder)
        assert tables(connection) == there
        assert connection.execute(STAMPED).fetchall() == stamped
        assert connection.execute(ROWS).fetchall() == before


def test_giving_up_leaves_other_branches_alone(database: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    """All graphs are walked without a server in tests/unit/operations/test_command.py."""
    connection.execute(TABLE)
    before = connection.execute(ROWS).fetchall()
    environment = make_environment(tmp_path / "db", database)
    other(environment, "app_a")
    other(environment, "app_b", "app_a")
    other(environment, "app_c")
    environment.alembic("upgrade", "heads")
    there, stamped = tables(connection), connection.execute(STAMPED).fetchall()
    write_revision(environment, KEY, POLICY, index="u", down="app_a")
    with snapshot(database):
        stopped = run(
            environment,
            "alembic -c db/alembic.ini -x tenant=t2 -x vaccine.wait_s=1 upgrade aaaa11112222",
            tmp_path,
            255,
        )
    assert tables(connection) == there
    give_up = printed(stopped, "to give the upgrade up")
    assert give_up.startswith("alembic -c ")
    assert give_up.count("-x tenant=t2") == 2
    run(environment, give_up, tmp_path)
    assert tables(connection) == there
    assert connection.execute(STAMPED).fetchall() == stamped
    assert connection.execute(ROWS).fetchall() == before
