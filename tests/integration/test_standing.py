"""Whatever stops a run says how many rows stay resolved, and how to give half an upgrade up; that advice works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import Environment, make_environment, write_revision
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE
from tests.runs import snapshot

STAMPED = "SELECT version_num FROM vaccine.alembic_version"
LATE = """
CREATE FUNCTION add_one() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO issues VALUES (100 + (SELECT count(*) FROM issues), 'c', 'open');
END $$;
CREATE EVENT TRIGGER late ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION add_one();
"""


@contextmanager
def nobody(url: str) -> Iterator[None]:
    yield


@contextmanager
def a_locked_row(url: str) -> Iterator[None]:
    with psycopg.connect(url, application_name="billing") as other:
        other.execute("SELECT FROM issues WHERE id = 4 FOR UPDATE")
        yield


def chain(root: Path, url: str, policy: dict[str, object] = POLICY) -> Environment:
    """A revision that is stamped already, and the vaccination above it."""
    environment = make_environment(root, url)
    write_revision(environment, {**KEY, "table": "others"}, policy, revision="000011112222")
    environment.alembic("upgrade", "head")
    write_revision(environment, KEY, policy, index="u", down="000011112222")
    return environment


@pytest.mark.parametrize(
    ("code", "options", "blocker"),
    [
        ("blocked", ["vaccine.wait_s=1"], snapshot),
        ("lock-timeout", ["vaccine.lock_tries=2", "vaccine.lock_timeout_ms=50"], a_locked_row),
        ("drift", [], nobody),
        ("build", ["vaccine.builds=1", "vaccine.drift=accept"], nobody),
    ],
)
def test_the_rows_that_stay_and_the_way_back(
    database: str,
    connection: psycopg.Connection,
    tmp_path: Path,
    code: str,
    options: list[str],
    blocker: object,
) -> None:
    connection.execute(TABLE + "CREATE TABLE others (LIKE issues INCLUDING ALL)")
    environment = chain(tmp_path, database, {**POLICY, "max_rows": 3})
    if code in {"drift", "build"}:  # a writer that no build can outrun
        connection.execute("INSERT INTO issues VALUES (98, 'd', 'open')")
        connection.execute(LATE.replace("'c'", "'d'"))
    before = connection.execute(ROWS).fetchall()
    with blocker(database):  # type: ignore[operator]
        words = [part for each in options for part in ("-x", each)]
        done = environment.alembic(*words, "upgrade", "head", check=False)
    message = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"[{code}]" in message
    assert code != "lock-timeout" or "the table is held by locker pid" in message
    [(rows,)] = connection.execute("SELECT count(*) - 1 FROM issues WHERE status = 'resolved'").fetchall()
    assert rows >= 2
    assert f"{rows} rows stay resolved and journalled, and the same command goes on from there" in message
    if code in {"drift", "build"}:
        connection.execute("DROP EVENT TRIGGER late")
    advice = re.search(r"to give the upgrade up and restore instead: alembic (.+) && alembic (.+)", message)
    assert advice is not None
    for command in advice.groups():
        environment.alembic(*command.split())
    after = {row[0]: row for row in connection.execute(ROWS)}
    assert [after[row[0]] for row in before] == before
    assert connection.execute(STAMPED).fetchall() == [("000011112222",)]
    assert connection.execute("SELECT to_regclass('u')").fetchone() == (None,)


def test_a_downgrade_that_stops_says_what_is_yet_to_restore(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE + "CREATE TABLE others (LIKE issues INCLUDING ALL)")
    environment = chain(tmp_path, database)
    environment.alembic("upgrade", "head")
    few = ("-x", "vaccine.lock_tries=2", "-x", "vaccine.lock_timeout_ms=50", "-x", "vaccine.wait_s=1")
    with a_locked_row(database):
        done = environment.alembic(*few, "downgrade", "000011112222", check=False)
    assert "3 rows stay resolved and journalled, and the same command goes on from there" in done.stdout
    assert "give the upgrade up" not in done.stdout


def test_nothing_is_said_of_rows_where_none_is_resolved(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE + "CREATE TABLE others (LIKE issues INCLUDING ALL)")
    environment = chain(tmp_path, database, {**POLICY, "max_rows": 1})
    done = environment.alembic("upgrade", "head", check=False)
    assert "[drift]" in done.stdout
    assert "resolved and journalled" not in done.stdout + done.stderr


def test_a_revision_whose_table_is_gone_does_not_block_the_chain(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE + "CREATE TABLE others (LIKE issues INCLUDING ALL)")
    environment = chain(tmp_path, database)
    write_revision(environment, {**KEY, "table": "others"}, POLICY, index="o", revision="later", down="aaaa11112222")
    connection.execute("ALTER TABLE issues RENAME TO tickets")
    said = environment.alembic("upgrade", "head", check=False).stdout
    assert "there is no table public.issues [no-table]" in said
    advice = re.search(r"gone for good, alembic (.+) passes this revision by", said)
    assert advice is not None
    environment.alembic(*advice[1].split())
    environment.alembic("upgrade", "head")
    assert connection.execute(STAMPED).fetchall() == [("later",)]
