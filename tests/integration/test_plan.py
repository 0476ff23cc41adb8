"""`vaccine plan` and `vaccine revision` on a real server: what they say and refuse, and that they change nothing."""

import json
from pathlib import Path

import psycopg
import pytest

from tests.commands import Shell
from tests.dumps import whole_dump
from vaccine.demo.server import Server

ISSUES = """
CREATE TABLE issues (id int PRIMARY KEY, hash text, status varchar(20), seen_at timestamptz, note text);
INSERT INTO issues VALUES (1, 'a', 'open', '2026-01-02', 'x'), (2, 'a', 'open', '2026-01-01', 'y'),
                          (3, 'b', 'open', '2026-01-01', 'x'), (4, 'b', 'resolved', '2026-01-02', 'x');
CREATE TABLE keyless (hash text, status text);
INSERT INTO keyless VALUES ('a', 'open'), ('a', 'open');
CREATE TABLE tasks (id int PRIMARY KEY, code varchar(20));
INSERT INTO tasks SELECT i, 'TSK-' || i FROM generate_series(1, 10) AS i;
CREATE TABLE parts (id int, code text, day date) PARTITION BY RANGE (day);
CREATE TABLE secret (id int PRIMARY KEY, code text);
INSERT INTO secret VALUES (1, 'a'), (2, 'a');
"""
LIVE = ("--where", "status = 'open'")
RETIRE = ("--assign", "status=resolved")


@pytest.fixture
def shell(tmp_path: Path, database: str, connection: psycopg.Connection) -> Shell:
    connection.execute(ISSUES)
    return Shell(tmp_path, database)


def plan_of(shell: Shell, *arguments: str, status: int = 0) -> dict[str, object]:
    shell.vaccine("plan", *arguments, "-o", "plan.json", status=status)
    (only,) = json.loads((shell.folder / "plan.json").read_text())["vaccinations"]
    return dict(only)


def test_the_group_its_survivor_and_why(shell: Shell) -> None:
    told = shell.vaccine("plan", "issues.hash", *LIVE, *RETIRE, "--survivor", "seen_at DESC").stdout
    lines = [line.split() for line in told.splitlines()]
    assert ["id", "seen_at", "note"] in lines
    assert ["keep", "1", "2026-01-02", "00:00:00+00", "x"] in lines
    assert ["resolve", "2", "2026-01-01", "00:00:00+00", "y"] in lines
    assert "CREATE UNIQUE INDEX CONCURRENTLY" in told
    assert "ON CONFLICT" in told


def test_a_row_kept_by_hand_survives(shell: Shell) -> None:
    planned = plan_of(shell, "issues.hash", *LIVE, *RETIRE, "--survivor", "seen_at DESC", "--keep", "2")
    (group,) = planned["groups"]  # type: ignore[misc]
    assert group["survivor"]["primary_key"] == ["2"]
    assert group["reason"] == "kept by hand"


def test_a_key_without_duplicates_gets_only_the_index(shell: Shell) -> None:
    told = shell.vaccine("plan", "tasks.code").stdout
    assert "none: only the index would be built" in told
    assert "retires" not in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nope.hash",), "there is no table nope [unknown-key]"),
        (("isues.hash",), "did you mean issues?"),
        (("publik.isues.hash",), "did you mean public.issues?"),
        (("public.isues.hash",), "did you mean issues?"),
        (("issues.nope",), "public.issues has no column nope [unknown-key]"),
        (("issues.hsh",), "did you mean hash?"),
        (("--schema", "pulbic"), "did you mean public?"),
        (("-c", "nope.ini", "issues.hash"), "there is no file nope.ini"),
        (("--settings", "nope.toml", "issues.hash"), "there is no file nope.toml"),
        (("Issues.hash",), "there is no table Issues"),
        (("issues",), "names no key"),
        (("issues.hash", "--where", "status ="), "the predicate cannot be used"),
        (("issues.hash", "--where", "nope = 1"), 'column "nope" does not exist'),
        (("issues.hash", "--where", "true); DROP TABLE issues; --"), "the predicate cannot be used"),
        (("issues.hash", "--survivor", "nope DESC"), "the survivor order cannot be used"),
        (("issues.hash", *LIVE, "--assign", "nope=1"), "has no column nope"),
        (("issues.hash", *LIVE, "--assign", "seen_at=never"), "does not fit public.issues"),
        (("issues.hash", *LIVE, "--assign", "status"), "assigns nothing"),
        (("issues.hash", "tasks.code", *LIVE), "are about one key"),
        (("issues.hash", *LIVE, "--keep", "1,2"), "does not fit the primary key"),
    ],
)
def test_bad_words_are_refused_with_2(shell: Shell, server: Server, arguments: tuple[str, ...], said: str) -> None:
    before = whole_dump(server, shell.url)
    done = shell.vaccine("plan", *arguments, status=2)
    assert said in done.stderr
    assert "fix:" in done.stderr
    assert done.stdout == ""
    assert whole_dump(server, shell.url) == before


FOLLOWED = """
ALTER TABLE issues ADD UNIQUE (id, status), ADD parent int, ADD parent_status varchar(20);
CREATE TABLE child (id int PRIMARY KEY, issue int, "its status" varchar(20));
ALTER TABLE {source} ADD CONSTRAINT "follows %s" FOREIGN KEY ({columns}) REFERENCES issues (id, status) {action};
"""


@pytest.mark.parametrize(
    ("source", "action", "code"),
    [
        ("child", "", "referred-to"),
        ("issues", "ON UPDATE RESTRICT", "referred-to"),
        ("child", "ON UPDATE CASCADE", "cascade"),
        ("child", "ON UPDATE SET NULL", "carried-on"),
        ("child", "ON UPDATE SET DEFAULT", "carried-on"),
        ("issues", "ON UPDATE CASCADE", "carried-on"),
    ],
)
def test_a_foreign_key_to_an_assigned_column(
    shell: Shell, connection: psycopg.Connection, source: str, action: str, code: str
) -> None:
    columns = 'issue, "its status"' if source == "child" else "parent, parent_status"
    connection.execute(FOLLOWED.format(source=source, columns=columns, action=action))
    blocked = code == "carried-on"
    planned = plan_of(shell, "issues.hash", *LIVE, *RETIRE, status=1 if blocked else 0)
    codes = {"referred-to", "cascade", "carried-on"}
    (found,) = [each for each in planned["hazards"] if each["code"] in codes]  # type: ignore[attr-defined]
    assert (found["code"], found["blocking"]) == (code, blocked)
    assert found["text"].removeprefix("the foreign key ").startswith(f"follows %s of public.{source}")
    other = plan_of(shell, "issues.hash", *LIVE, "--assign", "hash=NULL")
    assert not codes & {each["code"] for each in other["hazards"]}  # type: ignore[attr-defined]


def test_too_many_columns_are_blocked(shell: Shell, connection: psycopg.Connection) -> None:
    more = ", ".join(f"ADD c{number} int" for number in range(800))
    connection.execute(f"ALTER TABLE issues {more}")
    planned = plan_of(shell, "issues.hash", *LIVE, *RETIRE, status=1)
    (found,) = [each for each in planned["hazards"] if each["blocking"]]  # type: ignore[attr-defined]
    assert found["code"] == "too-many-columns"
    assert "805 columns" in found["text"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("keyless.hash", "--where", "status = 'open'", "--assign", "status=resolved"), "no-primary-key"),
        (("issues.hash", *LIVE, "--assign", "note=z"), "still-live"),
        (("issues.hash", *LIVE, *RETIRE, "--name", "tasks"), "name-taken"),
        (("secret.code", "--where", ""), "no-way-to-retire"),
        (("parts.code",), "partitioned"),
    ],
)
def test_what_cannot_be_done_is_blocked_with_1(shell: Shell, arguments: tuple[str, ...], code: str) -> None:
    planned = plan_of(shell, *arguments, status=1)
    assert code in [each["code"] for each in planned["hazards"] if each["blocking"]]  # type: ignore[attr-defined]
    shell.vaccine("init")
    done = shell.vaccine("revision", "plan.json", status=1)
    assert code in done.stderr
    assert list((shell.folder / "migrations/versions").glob("*.py")) == []


def test_an_unreachable_database_is_3_and_shows_no_password(shell: Shell) -> None:
    done = shell.vaccine("plan", status=3, url="postgresql://me:geheim@127.0.0.1:1/x")
    assert "cannot connect to me@127.0.0.1:1/x" in done.stderr
    assert "geheim" not in done.stdout + done.stderr


def test_a_role_without_permission_is_told(shell: Shell, connection: psycopg.Connection) -> None:
    connection.execute("CREATE ROLE blind LOGIN")
    try:
        blind = shell.url.replace("postgres@", "blind@")
        done = shell.vaccine("plan", "issues.hash", *LIVE, *RETIRE, status=3, url=blind)
        assert "may not read public.issues" in done.stderr
        assert "GRANT SELECT" in done.stderr
    finally:
        connection.execute("DROP ROLE blind")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("INSERT INTO issues VALUES (5, 'b', 'open', '2026-01-03', 'new')", "primary key 3 (beside 5)"),
        ("UPDATE issues SET seen_at = '2027-01-01' WHERE id = 2", "primary key 1 (beside 2)"),
        ("ALTER TABLE issues ADD COLUMN more int", "columns, indexes or triggers of public.issues changed"),
        ("UPDATE issues SET status = 'resolved'", "no row of public.issues is live any more"),
    ],
)
def test_a_revision_of_a_drifted_plan_is_refused(
    shell: Shell, connection: psycopg.Connection, change: str, said: str
) -> None:
    plan_of(shell, "issues.hash", *LIVE, *RETIRE, "--survivor", "seen_at DESC")
    shell.vaccine("init")
    connection.execute(change)
    done = shell.vaccine("revision", "plan.json", status=1)
    assert said in done.stderr
    assert "vaccine plan -o plan.json" in done.stderr
    assert list((shell.folder / "migrations/versions").glob("*.py")) == []


def test_a_plan_of_another_database_is_refused(shell: Shell, server: Server) -> None:
    plan_of(shell, "issues.hash", *LIVE, *RETIRE)
    shell.vaccine("init")
    done = shell.vaccine("revision", "plan.json", status=1, url=server.url)
    assert "is for the database" in done.stderr


WRITTEN = """
SELECT pg_current_wal_insert_lsn()::text, pg_stat_get_db_tuples_inserted(oid), pg_stat_get_db_tuples_updated(oid),
       pg_stat_get_db_tuples_deleted(oid)
  FROM pg_database WHERE datname = current_database()
"""


def test_the_plan_writes_nothing_and_needs_only_select(shell: Shell, connection: psycopg.Connection) -> None:
    connection.execute("CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    try:
        reader = shell.url.replace("postgres@", "reader@")
        seen = []
        for _ in range(5):  # the server itself writes a record now and then: a plan that wrote would do so each time
            before = connection.execute(WRITTEN).fetchone()
            told = shell.vaccine("plan", "issues.hash", *LIVE, *RETIRE, url=reader).stdout
            seen.append((before, connection.execute(WRITTEN).fetchone()))
            if seen[-1][0] == seen[-1][1]:
                break
        assert "role reader does not own the table, which an index needs" in " ".join(told.split())
        assert seen[-1][0] == seen[-1][1], seen
    finally:
        connection.execute("DROP OWNED BY reader; DROP ROLE reader")


def test_a_prepared_transaction_on_the_table_is_named(shell: Shell, connection: psycopg.Connection) -> None:
    gid = f"it's {{x}} {connection.info.dbname}"
    named = psycopg.sql.Literal(gid).as_string(connection)
    connection.execute("BEGIN; INSERT INTO issues VALUES (9, 'z', 'open')")
    connection.execute(f"PREPARE TRANSACTION {named}")
    try:
        planned = plan_of(shell, "issues.hash", *LIVE, *RETIRE)
        (found,) = [each for each in planned["hazards"] if each["code"] == "prepared"]  # type: ignore[attr-defined]
        assert f"ROLLBACK PREPARED {named}" in found["fix"]
        assert "never ends by itself" in found["text"]
    finally:
        connection.execute(f"ROLLBACK PREPARED {named}")


def test_the_paths_alone_go_to_stdout(shell: Shell) -> None:
    plan_of(shell, "issues.hash", *LIVE, *RETIRE)
    shell.vaccine("init")
    done = shell.vaccine("revision", "plan.json")
    (path,) = done.stdout.splitlines()
    assert Path(path).is_file()
    assert "then run: alembic upgrade " in done.stderr


def test_the_writers_that_will_fail_on_the_day_are_named(shell: Shell) -> None:
    (shell.folder / "writer.py").write_text(
        "def report(cur, h):\n"
        "    cur.execute('SELECT id FROM issues WHERE hash = %s', (h,))\n"
        "    if cur.fetchone() is None:\n"
        "        cur.execute('INSERT INTO issues (hash, status) VALUES (%s, %s)', (h, 'open'))\n"
    )
    planned = plan_of(shell, "issues.hash", *LIVE, *RETIRE, "--source", ".")
    (failing,) = [each["text"] for each in planned["hazards"] if each["code"] == "writer-fails"]  # type: ignore[attr-defined]
    assert "writer.py:4 (report) will fail once the index is there: find-then-insert" in failing
