"""What a run refuses, a script refuses: drift and every check, before anything changes."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import UPGRADE, make_environment, write_revision
from tests.integration.test_drift import CHANGES, another_session, named, planned, policy_of, table_of
from tests.integration.test_offline import psql, script_of
from tests.integration.test_restore import KEY, POLICY, TABLE
from vaccine.demo.server import Server
from vaccine.plan.model import Plan


def words(plan: Plan) -> tuple[dict[str, object], dict[str, object]]:
    """Key and policy as a revision spells them."""
    key, policy = policy_of(plan)
    return (
        {"schema": key.schema, "table": key.table, "columns": list(key.columns), "where": key.where},
        {"survivor": list(policy.survivor), "assign": dict(policy.assign), "keep": [], "max_rows": policy.max_rows,
         "plan": policy.plan, "rows": policy.rows},
    )  # fmt: skip


def test_the_script_and_the_upgrade_agree_on_what_is_drift(
    server: Server, database: str, connection: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(connection)
    connection.execute(table)
    scripts = []
    for number, plan in enumerate(planned(database, monkeypatch)):
        environment = make_environment(tmp_path / str(number), database)
        write_revision(environment, *words(plan))
        scripts.append(
            (script_of(environment, "upgrade", "base:head"),
             script_of(environment, "-x", "vaccine.drift=accept", "upgrade", "base:head"))
        )  # fmt: skip
    with another_session(database) as url:
        for what, change, others in CHANGES:
            for refusing, accepting in scripts:
                connection.execute(change)
                done = psql(server, url, refusing, "-v", "ON_ERROR_STOP=1")
                assert named(done.stderr) == others, (what, done.stderr)
                assert (done.returncode == 3) == bool(others), (what, done.stderr)
                if others:
                    assert "public.issues is no longer as the plan saw it; nothing was changed" in done.stderr
                    assert connection.execute("SELECT to_regclass('vaccine.journal')").fetchone() == (None,)
                    done = psql(server, url, accepting, "-v", "ON_ERROR_STOP=1")
                    assert done.returncode == 0, (what, done.stderr)
                left = "SELECT FROM issues WHERE status = 'open' GROUP BY hash HAVING count(*) > 1"
                assert connection.execute(left).fetchall() == [], what
                connection.execute(f"DROP TABLE issues; DROP SCHEMA vaccine CASCADE; {table}")


REFUSED = [
    ("ALTER TABLE issues DROP COLUMN note, DROP COLUMN last_seen_at", ["[misfit]"]),
    ("ALTER TABLE issues DROP CONSTRAINT issues_pkey", ["[no-primary-key]"]),
    ("CREATE TABLE u ()", ["[name-taken]"]),
    ("ALTER TABLE issues RENAME TO others", ["[no-table]"]),
    ("ALTER TABLE issues DROP COLUMN status", ["no column", "status"]),
    (
        "ALTER TABLE issues DROP CONSTRAINT issues_pkey; CREATE TABLE u ()",
        ["1. ", "[no-primary-key]", "2. ", "u is taken"],
    ),
]


def test_a_script_refuses_before_anything_changes_all_reasons_at_once(
    server: Server, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    environment = make_environment(tmp_path, database)
    upgrade = UPGRADE.format(index="u").replace("**POLICY)", "**POLICY, index='u')", 1)
    write_revision(environment, KEY, POLICY, index="u", upgrade=upgrade)
    script = script_of(environment, "upgrade", "base:head")
    for change, told in REFUSED:
        connection.execute(TABLE)
        connection.execute(change)
        done = psql(server, database, script)
        for text in told:
            assert text in done.stderr, (change, done.stderr)
        assert "of public.issues (hash) is refused; nothing was changed" in done.stderr
        assert connection.execute("SELECT FROM vaccine.alembic_version").fetchall() == []
        connection.execute("DROP SCHEMA public CASCADE; DROP SCHEMA vaccine CASCADE; CREATE SCHEMA public")
