"""Preflight: every reason at once, nothing changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.alembic_env import UPGRADE, make_environment, write_revision
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE


def refused(
    tmp_path: Path,
    url: str,
    *options: str,
    key: dict[str, Any] | None = None,
    policy: dict[str, Any] | None = None,
    index: str | None = None,
    **environment: Any,
) -> str:
    made = make_environment(tmp_path, url, **environment)
    both = UPGRADE.format(index=index).replace("**POLICY)", f"**POLICY, index={index!r})", 1) if index else None
    write_revision(made, {**KEY, **(key or {})}, {**POLICY, **(policy or {})}, index=index, upgrade=both)
    done = made.alembic(*options, "upgrade", "head", check=False)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(autouse=True)
def unchanged(connection: psycopg.Connection) -> Any:
    connection.execute(TABLE)
    before = connection.execute(ROWS).fetchall()
    yield
    assert connection.execute(ROWS).fetchall() == before
    assert connection.execute("SELECT to_regclass('vaccine.journal')").fetchone() == (None,)


def test_more_duplicates_than_approved_is_drift(tmp_path: Path, database: str) -> None:
    message = refused(tmp_path, database, policy={"max_rows": 2})
    assert "[drift]" in message
    assert "3 rows in 2 groups would be resolved; max_rows is 2" in message
    assert "vaccine.drift=accept" in message


def test_a_row_kept_by_hand_that_is_gone_is_drift(tmp_path: Path, database: str) -> None:
    message = refused(tmp_path, database, policy={"keep": [["6"], ["999"]]})
    assert "1 of the rows kept by hand are gone" in message
    assert "1 of the rows kept by hand are no longer live" in message


def test_a_kept_key_that_does_not_fit_its_type(tmp_path: Path, database: str) -> None:
    message = refused(tmp_path, database, policy={"keep": [["six"]]})
    assert '`keep` does not fit the table: invalid input syntax for type integer: "six"' in message


def test_two_kept_rows_of_one_group(tmp_path: Path, database: str) -> None:
    message = refused(tmp_path, database, policy={"keep": [["1"], ["2"]]})
    assert "two rows of one group are both kept by hand: 1 groups" in message


def test_lists_every_reason(tmp_path: Path, database: str) -> None:
    message = refused(
        tmp_path,
        database,
        key={"where": "status = 'open' AND nonsense > 1"},
        policy={"assign": {"status": {"sql": "now() + 1"}}, "survivor": ["no_such_column"]},
    )
    assert "1. `where` does not fit the table" in message
    assert "2. `columns` or `survivor` does not fit" in message
    assert "3. `assign` does not fit" in message


def test_a_column_that_is_gone(tmp_path: Path, database: str) -> None:
    assert "no column hush" in refused(tmp_path, database, key={"columns": ["hush"]})


def test_a_table_that_is_gone(tmp_path: Path, database: str) -> None:
    assert "there is no table public.Issues" in refused(tmp_path, database, key={"table": "Issues"})


def test_no_primary_key(tmp_path: Path, database: str, connection: psycopg.Connection) -> None:
    connection.execute("ALTER TABLE issues DROP CONSTRAINT issues_pkey")
    assert "no primary key" in refused(tmp_path, database)


def test_a_key_too_wide(tmp_path: Path, database: str, connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE wide (id integer PRIMARY KEY, hash text, status text, last_seen_at timestamptz)")
    connection.execute(
        "INSERT INTO wide SELECT 1, string_agg(md5(g::text), ''), 'open' FROM generate_series(1, 100) AS g"
    )
    connection.execute("INSERT INTO wide SELECT 2, repeat('x', 5000), 'open'")
    assert "too wide for a btree index" in refused(tmp_path, database, key={"table": "wide"}, index="u")


@pytest.mark.every_version
def test_rights_and_hidden_rows(tmp_path: Path, database: str, connection: psycopg.Connection) -> None:
    connection.execute("DROP ROLE IF EXISTS small")
    connection.execute("CREATE ROLE small LOGIN")
    try:
        connection.execute("GRANT USAGE ON SCHEMA public TO small; GRANT SELECT ON issues TO small")
        connection.execute("ALTER TABLE issues ENABLE ROW LEVEL SECURITY")
        connection.execute("CREATE SCHEMA vaccine; GRANT USAGE, CREATE ON SCHEMA vaccine TO small")
        message = refused(tmp_path, database.replace("postgres@", "small@"))
        assert "role small does not own the table" in message
        assert "GRANT CREATE ON SCHEMA" in message
        assert "row-level security hides rows from role small" in message
    finally:
        connection.execute("DROP OWNED BY small CASCADE; DROP ROLE small")


def test_no_replica_identity(tmp_path: Path, database: str, connection: psycopg.Connection) -> None:
    connection.execute("ALTER TABLE issues REPLICA IDENTITY NOTHING")
    connection.execute("SET client_min_messages = error; CREATE PUBLICATION p FOR TABLE issues")
    assert "publication p without a replica identity" in refused(tmp_path, database)


@pytest.mark.parametrize(
    "environment",
    [{"connect": "begin"}, {"before": "connection.exec_driver_sql('SELECT 1')"}],
    ids=["begin", "sql before configure"],
)
@pytest.mark.parametrize("per_migration", [True, False])
def test_an_env_py_that_opened_a_transaction(
    tmp_path: Path, database: str, environment: dict[str, str], per_migration: bool
) -> None:
    message = refused(tmp_path, database, transaction_per_migration=per_migration, **environment)
    assert "env.py has opened a transaction" in message
    assert "engine.connect()" in message


def test_an_unknown_option(tmp_path: Path, database: str) -> None:
    assert "vaccine.drfit" in refused(tmp_path, database, "-x", "vaccine.drfit=accept")


@pytest.mark.parametrize("command", [("upgrade", "head"), ("upgrade", "base:head", "--sql")])
def test_an_option_without_its_prefix_is_not_lost_silently(
    tmp_path: Path, database: str, command: tuple[str, ...]
) -> None:
    made = make_environment(tmp_path, database)
    write_revision(made, KEY, POLICY)
    done = made.alembic("-x", "drift=accept", *command, check=False)
    assert done.returncode != 0
    assert "did you mean -x vaccine.drift=accept?" in done.stdout + done.stderr


@pytest.mark.every_version
def test_usage_of_the_schema_of_the_journal_is_not_enough(
    tmp_path: Path, database: str, connection: psycopg.Connection
) -> None:
    role = f"keeper_{connection.info.dbname}"
    connection.execute(f"CREATE ROLE {role} LOGIN")
    try:
        connection.execute(f"GRANT ALL ON SCHEMA public TO {role}; ALTER TABLE issues OWNER TO {role}")
        theirs = database.replace("postgres@", f"{role}@")
        missing = refused(tmp_path / "missing", theirs, transaction_per_migration=False)
        assert f"role {role} may not make the schema vaccine" in missing
        assert "GRANT CREATE ON DATABASE" in missing
        connection.execute(f"CREATE SCHEMA vaccine; GRANT USAGE ON SCHEMA vaccine TO {role}")
        usage = refused(tmp_path / "usage", theirs, transaction_per_migration=False)
        assert f"role {role} may not create in schema vaccine" in usage
        assert "GRANT USAGE, CREATE ON SCHEMA vaccine" in usage
    finally:
        connection.execute(f"ALTER TABLE issues OWNER TO postgres; DROP OWNED BY {role}; DROP ROLE {role}")


def test_two_kept_rows_of_one_group_are_no_drift_to_accept(tmp_path: Path, database: str) -> None:
    message = refused(tmp_path, database, "-x", "vaccine.drift=accept", policy={"keep": [["1"], ["2"]]}, index="u")
    assert "two rows of one group are both kept by hand: 1 groups" in message
    assert "nothing was changed [preflight]" in message


def test_a_table_that_is_locked_whole_is_not_waited_for_without_an_end(tmp_path: Path, database: str) -> None:
    with psycopg.connect(database, application_name="rewriter") as other:
        other.execute("LOCK TABLE issues")
        message = refused(tmp_path, database, "-x", "vaccine.lock_tries=2", "-x", "vaccine.lock_timeout_ms=50")
    assert "could not get the lock to read public.issues; nothing was changed: 2 tries of 50 ms each" in message
    assert "application rewriter" in message


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (
            {"where": "status = 'open' AND last_seen_at < now()"},
            "functions in index predicate must be marked IMMUTABLE",
        ),
        ({"where": "status = 'open' AND id IN (SELECT 1)"}, "cannot use subquery in index predicate"),
        ({"columns": ["note"]}, "note"),
    ],
)
def test_an_index_that_cannot_be_made_is_refused_before_any_row_changes(
    tmp_path: Path, database: str, key: dict[str, Any], said: str
) -> None:
    made = make_environment(tmp_path, database)
    both = UPGRADE.format(index="u").replace("**POLICY)", "**POLICY, index='u')", 1)
    write_revision(made, {**KEY, **key}, POLICY, index="u", upgrade=both)
    done = made.alembic("upgrade", "head", check=False)
    assert said in done.stdout
    assert "nothing was changed [preflight]" in done.stdout


@pytest.fixture
def prepared(database: str, connection: psycopg.Connection) -> Iterator[str]:
    """A prepared transaction that wrote the table, a second ago."""
    gid = f"it's {connection.info.dbname}"
    named = psycopg.sql.Literal(gid).as_string(connection)
    with psycopg.connect(database, autocommit=True) as two_phase:
        two_phase.execute("BEGIN; INSERT INTO issues VALUES (99, 'z', 'closed')")
        two_phase.execute(f"PREPARE TRANSACTION {named}")
    time.sleep(1.1)
    yield named
    connection.execute(f"ROLLBACK PREPARED {named}")


@pytest.mark.every_version
def test_a_prepared_transaction_older_than_the_budget_is_refused_before_anything_changes(
    tmp_path: Path, database: str, prepared: str
) -> None:
    both = UPGRADE.format(index="u").replace("**POLICY)", "**POLICY, index='u')", 1)
    made = make_environment(tmp_path, database)
    write_revision(made, KEY, POLICY, index="u", upgrade=both)
    done = made.alembic("-x", "vaccine.wait_s=1", "upgrade", "head", check=False)
    assert "nothing was changed [preflight]" in done.stdout
    assert f"COMMIT PREPARED or ROLLBACK PREPARED {prepared}" in done.stdout
    assert "never ends by itself" in done.stdout


def test_a_downgrade_behind_a_prepared_transaction_is_refused_before_its_drop(
    tmp_path: Path, database: str, connection: psycopg.Connection
) -> None:
    made = make_environment(tmp_path, database)
    only_index = "    op.create_unique_index_concurrently('u', **KEY, **POLICY)"
    write_revision(made, {**KEY, "columns": ["id"]}, POLICY, index="u", upgrade=only_index)
    made.alembic("upgrade", "head")
    connection.execute("BEGIN; SELECT FROM issues; PREPARE TRANSACTION 'reads'")
    try:
        time.sleep(1.1)
        done = made.alembic("-x", "vaccine.wait_s=1", "downgrade", "base", check=False)
    finally:
        connection.execute("ROLLBACK PREPARED 'reads'")
    assert "the downgrade of public.issues (id) is refused; nothing was changed [preflight]" in done.stdout
    assert connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'u'::regclass").fetchone() == (True,)
    made.alembic("downgrade", "base")
    connection.execute("DROP SCHEMA vaccine CASCADE")


def test_a_journal_that_another_role_has_made(tmp_path: Path, database: str, connection: psycopg.Connection) -> None:
    role = f"second_{connection.info.dbname}"
    connection.execute(f"CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}")
    first = make_environment(tmp_path / "first", database, transaction_per_migration=False)
    write_revision(first, KEY, POLICY)
    try:
        first.alembic("upgrade", "head")
        first.alembic("downgrade", "base")
        connection.execute(f"ALTER TABLE issues OWNER TO {role}; GRANT ALL ON alembic_version TO {role}")
        connection.execute(f"GRANT ALL ON SCHEMA vaccine TO {role}")
        second = make_environment(
            tmp_path / "second", database.replace("postgres@", f"{role}@"), transaction_per_migration=False
        )
        write_revision(second, KEY, POLICY, index="u")
        told = second.alembic("upgrade", "head", check=False).stdout
        assert "made by role postgres, and this role lacks SELECT, INSERT, UPDATE on vaccine.journal" in told
        assert "this role lacks USAGE on vaccine.journal_batch_seq" in told
        assert "nothing was changed [preflight]" in told
        tables = "vaccine.journal, vaccine.image_tables, vaccine.vaccination"
        connection.execute(f"GRANT ALL ON {tables}, vaccine.journal_batch_seq TO {role}")
        told = second.alembic("upgrade", "head", check=False).stdout
        assert "this role lacks SELECT, INSERT on vaccine.images_1" in told
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA vaccine TO {role}")
        second.alembic("upgrade", "head")
        connection.execute(f"REVOKE ALL ON vaccine.journal FROM {role}")
        told = second.alembic("downgrade", "base", check=False).stdout
        assert "the downgrade of public.issues (hash) is refused; nothing was changed [preflight]" in told
        connection.execute(f"GRANT ALL ON vaccine.journal TO {role}")
        second.alembic("downgrade", "base")
    finally:
        connection.execute(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
        connection.execute("DROP SCHEMA IF EXISTS vaccine CASCADE")


@pytest.mark.every_version
@pytest.mark.parametrize(("source", "action"), [("child", "SET NULL"), ("child", "SET DEFAULT"), ("issues", "CASCADE")])
def test_a_foreign_key_that_carries_the_assignment_on_is_refused(
    tmp_path: Path, database: str, connection: psycopg.Connection, source: str, action: str
) -> None:
    connection.execute("ALTER TABLE issues ADD UNIQUE (id, status); CREATE TABLE child (id integer PRIMARY KEY)")
    connection.execute(f"ALTER TABLE {source} ADD parent integer, ADD parent_status text")
    connection.execute(
        f"ALTER TABLE {source} ADD CONSTRAINT follows FOREIGN KEY (parent, parent_status)"
        f" REFERENCES issues (id, status) ON UPDATE {action}"
    )
    message = refused(tmp_path, database)
    assert f"the foreign key follows of {source} (ON UPDATE {action}) refers to status" in message
    assert "nothing was changed" in message
    refused(tmp_path / "other", database, policy={"assign": {"id": 1}})  # the primary key: refused for that
    assert "follows" not in refused(tmp_path / "note", database, policy={"assign": {"note": "1"}, "max_rows": 0})
