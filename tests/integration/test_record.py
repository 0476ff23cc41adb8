"""The record of an upgrade: written whatever it resolved, counted with each batch, closed by the downgrade."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import make_environment, write_revision
from tests.integration.test_journal import journal
from tests.integration.test_restore import KEY, POLICY, TABLE

RECORDS = "SELECT version_table, revision, plan, index_name, resolved_rows, ended_at IS NOT NULL, undone_at IS NOT NULL"


@pytest.mark.every_version
def test_an_upgrade_records_itself_and_a_downgrade_closes_the_record(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(
        TABLE + "CREATE TABLE clean AS TABLE issues WITH NO DATA; ALTER TABLE clean ADD PRIMARY KEY (id)"
    )
    environment = make_environment(tmp_path, database, transaction_per_migration=True)
    write_revision(environment, KEY, POLICY, index="u")
    clean = {**KEY, "table": "clean"}
    write_revision(environment, clean, POLICY, index="v", revision="bbbb", down="aaaa11112222")

    def records() -> list[tuple[object, ...]]:
        return connection.execute(f"{RECORDS} FROM vaccine.vaccination ORDER BY revision").fetchall()

    for _ in range(2):
        environment.alembic("upgrade", "head")
        assert records() == [
            ("public.alembic_version", "aaaa11112222", "6f1c2e0a", "u", 3, True, False),
            ("public.alembic_version", "bbbb", "6f1c2e0a", "v", 0, True, False),
        ]
        environment.alembic("downgrade", "base")
        assert [row[4:] for row in records()] == [(3, True, True), (0, True, True)]
    shown = json.loads(journal(database, "upgrades", "--format", "json").stdout)
    assert [(each["revision"], each["table"], each["resolved_rows"]) for each in shown] == [
        ("aaaa11112222", "issues", 3),
        ("bbbb", "clean", 0),
    ]
    assert "downgraded" in journal(database).stdout


def test_the_version_table_is_the_one_that_alembic_found(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE + 'CREATE SCHEMA "Tenant 2"')
    before = "connection.exec_driver_sql('SET search_path = \"Tenant 2\", public'); connection.commit()"
    environment = make_environment(tmp_path, database, transaction_per_migration=True, before=before)
    write_revision(environment, KEY, POLICY, index="u")
    environment.alembic("upgrade", "head")
    found = connection.execute("SELECT version_table FROM vaccine.vaccination").fetchall()
    assert found == [('"Tenant 2".alembic_version',)]
