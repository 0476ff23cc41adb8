"""The way back: rows that are as they were left get their old image; rows that someone changed keep theirs."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import UPGRADE, make_environment, write_revision
from tests.runs import snapshot

KEY = {"schema": "public", "table": "issues", "columns": ["hash"], "where": "status = 'open' AND hash IS NOT NULL"}
POLICY = {
    "survivor": ["last_seen_at DESC NULLS LAST", "id DESC"],
    "assign": {"status": "resolved"},
    "keep": [],
    "max_rows": 4,
    "plan": "6f1c2e0a",
}

TABLE = """
CREATE TABLE issues (id integer PRIMARY KEY, hash text, status text NOT NULL, last_seen_at timestamptz, note json);
INSERT INTO issues VALUES (1, 'a', 'open', '2026-04-09', '{"x":  1, "x": 2}'), (2, 'a', 'open', '2026-03-30', 'null'),
  (3, 'a', 'open', NULL, NULL), (4, 'b', 'open', '2026-01-01', NULL), (5, 'b', 'open', '2026-01-01', NULL),
  (6, 'b', 'resolved', '2026-02-01', NULL), (7, NULL, 'open', NULL, NULL), (8, NULL, 'open', NULL, NULL),
  (9, 'c', 'open', NULL, NULL);
"""
ROWS = "SELECT id, status, note::text FROM issues ORDER BY id"


@pytest.mark.every_version
def test_up_and_down_and_up(database: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute(TABLE)
    before = connection.execute(ROWS).fetchall()
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY)
    for _ in range(2):
        up = environment.alembic("upgrade", "head")
        print(up.stdout)
        assert "resolved 3 rows of public.issues (hash)" in up.stdout
        assert connection.execute("SELECT id FROM issues WHERE status = 'resolved' ORDER BY id").fetchall() == [
            (2,), (3,), (4,), (6,),
        ]  # fmt: skip
        down = environment.alembic("downgrade", "base")
        assert "restored 3 rows of public.issues" in down.stdout
        assert connection.execute(ROWS).fetchall() == before


def test_edited_and_deleted_rows_are_listed_and_kept(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE)
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY)
    environment.alembic("upgrade", "head")
    connection.execute("UPDATE issues SET last_seen_at = now() WHERE id = 2; DELETE FROM issues WHERE id = 3")
    strict = environment.alembic("-x", "vaccine.restore=strict", "downgrade", "base", check=False)
    assert strict.returncode != 0
    assert "primary keys 2, 3" in strict.stdout + strict.stderr
    assert connection.execute("SELECT status FROM issues WHERE id = 4").fetchone() == ("resolved",)
    down = environment.alembic("downgrade", "base").stdout
    assert "restored 1 row of public.issues" in down
    assert "2 rows of public.issues changed or deleted since, left as found: 2, 3" in down
    assert connection.execute("SELECT id, status FROM issues WHERE id IN (2, 3, 4) ORDER BY id").fetchall() == [
        (2, "resolved"),
        (4, "open"),
    ]
    assert connection.execute("SELECT outcome, restored_count, kept_rows FROM vaccine.journal").fetchall() == [
        ("restored", 1, [1, 2])
    ]


STAMPED = """
ALTER TABLE issues ADD COLUMN updated_at timestamptz;
CREATE TABLE seen_by_trigger (id integer);
GRANT ALL ON seen_by_trigger TO PUBLIC;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO seen_by_trigger VALUES (NEW.id); NEW.updated_at := clock_timestamp(); RETURN NEW; END';
CREATE TRIGGER stamp BEFORE UPDATE ON issues FOR EACH ROW EXECUTE FUNCTION stamp();
"""


@pytest.mark.every_version
def test_a_trigger_that_stamps_is_overruled_by_who_may_and_named_by_who_may_not(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE + STAMPED)
    rows = "SELECT id, status, updated_at FROM issues ORDER BY id"
    first = connection.execute(rows).fetchall()
    environment = make_environment(tmp_path / "super", database)
    write_revision(environment, KEY, POLICY)
    environment.alembic("upgrade", "head")
    assert "stamped" not in environment.alembic("downgrade", "base").stdout
    assert connection.execute(rows).fetchall() == first
    # The trigger still fired, so that what it keeps elsewhere is kept.
    assert connection.execute("SELECT id, count(*) FROM seen_by_trigger GROUP BY id ORDER BY id").fetchall() == [
        (2, 2), (3, 2), (4, 2),
    ]  # fmt: skip

    connection.execute("DROP SCHEMA vaccine CASCADE; DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN")
    try:
        connection.execute("ALTER TABLE issues OWNER TO plain; GRANT CREATE ON SCHEMA public TO plain")
        connection.execute(f"GRANT CREATE ON DATABASE {connection.info.dbname} TO plain")
        environment = make_environment(tmp_path / "plain", database.replace("postgres@", "plain@"))
        write_revision(environment, KEY, POLICY)
        environment.alembic("upgrade", "head")
        down = environment.alembic("downgrade", "base").stdout
        assert "a trigger of public.issues stamped updated_at on restored rows" in down
        assert connection.execute(rows.replace(", updated_at", "")).fetchall() == [row[:2] for row in first]
        assert connection.execute("SELECT stamped_columns FROM vaccine.journal").fetchall() == [(["updated_at"],)]
    finally:
        connection.execute("DROP OWNED BY plain CASCADE; DROP ROLE plain")


@pytest.mark.every_version
def test_the_whole_way_with_the_index(database: str, connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute(TABLE)
    before = connection.execute(ROWS).fetchall()
    environment = make_environment(tmp_path, database, transaction_per_migration=False)
    write_revision(environment, KEY, POLICY, index="uq_issues_open_hash")
    for _ in range(2):
        up = environment.alembic("upgrade", "head").stdout
        assert "verified uq_issues_open_hash" in up
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO issues VALUES (50, 'a', 'open')")
        environment.alembic("downgrade", "base")
        assert connection.execute(ROWS).fetchall() == before
        assert connection.execute("SELECT to_regclass('uq_issues_open_hash')").fetchone() == (None,)


def test_a_strict_downgrade_that_is_refused_keeps_the_index(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE)
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY, index="u")
    environment.alembic("upgrade", "head")
    connection.execute("UPDATE issues SET note = '1' WHERE id = 2")
    strict = environment.alembic("-x", "vaccine.restore=strict", "downgrade", "base", check=False)
    assert "primary keys 2" in strict.stdout + strict.stderr
    index = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public.u')"
    assert connection.execute(index).fetchall() == [(True,)]
    connection.execute("UPDATE issues SET note = 'null' WHERE id = 2")
    down = environment.alembic("-x", "vaccine.restore=strict", "downgrade", "base").stdout
    assert "restored 3 rows of public.issues" in down
    assert connection.execute(index).fetchall() == []


REFERRED = """
ALTER TABLE issues ADD CONSTRAINT twice UNIQUE (id, status);
CREATE TABLE child (i int, s text, FOREIGN KEY (i, s) REFERENCES issues (id, status) ON UPDATE SET NULL)
"""


@pytest.mark.parametrize(
    ("altered", "said", "back"),
    [
        (
            "ALTER TABLE issues ALTER note TYPE text",
            "note was json, now text",
            "ALTER TABLE issues ALTER note TYPE json USING note::json",
        ),
        (REFERRED, "(ON UPDATE SET NULL) refers to status of issues", "DROP TABLE child"),
        (
            "ALTER TABLE issues DROP CONSTRAINT issues_pkey, ADD PRIMARY KEY (id, status)",
            "the journal knows rows by (id)",
            "CREATE UNIQUE INDEX ids ON issues (id)",
        ),
    ],
    ids=["a type", "a foreign key", "a primary key"],
)
def test_a_downgrade_that_cannot_restore_keeps_the_index(
    database: str, connection: psycopg.Connection, tmp_path: Path, altered: str, said: str, back: str
) -> None:
    connection.execute(TABLE)
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY, index="u")
    environment.alembic("upgrade", "head")
    connection.execute(altered)
    refused = environment.alembic("downgrade", "base", check=False)
    assert said in refused.stdout + refused.stderr
    index = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public.u')"
    assert connection.execute(index).fetchall() == [(True,)]
    connection.execute(back)
    assert "restored 3 rows" in environment.alembic("downgrade", "base").stdout
    assert connection.execute(index).fetchall() == []


def test_half_an_upgrade_is_given_up_by_a_stamp_and_a_downgrade(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE)
    before = connection.execute(ROWS).fetchall()
    connection.execute("CREATE INDEX u ON issues (id)")
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY, index="u")
    half = environment.alembic("upgrade", "head", check=False)
    assert "resolved 3 rows" in half.stdout
    assert "the name u is taken" in half.stdout + half.stderr
    connection.execute("DROP INDEX u")
    environment.alembic("stamp", "head")
    assert "restored 3 rows" in environment.alembic("downgrade", "base").stdout
    assert connection.execute(ROWS).fetchall() == before


def test_whom_the_build_would_wait_for_is_said_before_any_row_changes(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE)
    environment = make_environment(tmp_path, database)
    both = UPGRADE.format(index="uq").replace("**POLICY)", "**POLICY, index='uq')", 1)
    write_revision(environment, KEY, POLICY, index="uq", upgrade=both)
    with snapshot(database):
        up = environment.alembic("-x", "vaccine.wait_s=1", "upgrade", "head", check=False)
    told = up.stdout.splitlines()
    warned = next(at for at, line in enumerate(told) if line.startswith("after the dedupe the build would wait"))
    assert "application report" in told[warned]
    assert "resolved 3 rows" in "".join(told[warned + 1 :])
