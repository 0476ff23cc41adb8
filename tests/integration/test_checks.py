"""Every check in plan, preflight and script: what provokes it, and that each of the three refuses, or why it cannot.

A check in the list without a row in the table fails the test. All rows share one database, whose schema is made anew.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest
from pytest_postgresql.janitor import DatabaseJanitor

from tests.alembic_env import UPGRADE, make_environment, write_revision
from tests.commands import Shell
from tests.integration.test_offline import psql
from tests.runs import running
from tests.standby import standby
from vaccine.audit.finding import Assignment, Expression
from vaccine.catalog.keyname import KeyName
from vaccine.connect import read_only
from vaccine.demo.server import Server
from vaccine.errors import VaccineError
from vaccine.operations.checks.every import CODES, EVERY
from vaccine.operations.checks.late import late_duplicates
from vaccine.operations.checks.preflight import before_resolve
from vaccine.operations.errors import DriftedError, PreflightError
from vaccine.operations.index.build import build_unique_index
from vaccine.operations.key import Key, Policy
from vaccine.operations.table import read_table
from vaccine.plan.make import make_plan
from vaccine.plan.model import Hazard
from vaccine.plan.request import Choices

TABLE = """
CREATE TABLE issues (id int PRIMARY KEY, hash text, status text NOT NULL, note text);
INSERT INTO issues SELECT n, n % 3, 'open' FROM generate_series(1, 9) AS n;
"""
ROWS = "SELECT * FROM issues ORDER BY 1"
KEY = Key("public", "issues", ("hash",), "status = 'open'")
POLICY = Policy(("id DESC",), {"status": "resolved"}, (), 100, "p1")
WAIT_S = 1

BLOCKS, TELLS, SILENT = "blocks", "tells", "silent"
FIRST = "PostgreSQL refuses the first statement of the script, which begins a transaction that writes (25006)"
WORDS = "refused in words, before anything is asked"


@dataclass(frozen=True)
class Row:
    """How a check is provoked. `plan`, `run` (preflight) and `script` say what each does, or why it cannot be asked."""

    ddl: str = ""
    key: Key = KEY
    policy: Policy = POLICY
    index: str = "u"
    role: str = ""  # SQL that gives the role {role} what it has; without it, the superuser asks
    plan: str = BLOCKS
    run: str = BLOCKS
    script: str = BLOCKS
    words: tuple[str, ...] = ()
    undo: str = ""
    two_phase: bool = False
    on_standby: bool = False
    url: Callable[[str], str] = field(default=lambda url: url)


def assign(**values: object) -> Policy:
    return Policy(POLICY.survivor, values, (), 100, "p1")  # type: ignore[arg-type]


OWNER = (
    "ALTER TABLE issues OWNER TO {role}; GRANT ALL ON SCHEMA public TO {role}; GRANT CREATE ON DATABASE {db} TO {role};"
)
RAISES = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'closed for ever' USING DETAIL = 'the detail', HINT = 'the hint'; END$$;
CREATE TRIGGER refuse BEFORE UPDATE ON issues FOR EACH ROW EXECUTE FUNCTION refuse();
"""
CHILD = """
ALTER TABLE issues ADD UNIQUE (id, status);
CREATE TABLE child (i int, s text, CONSTRAINT follows FOREIGN KEY (i, s) REFERENCES issues (id, status) {});
INSERT INTO child VALUES (1, 'open'), (2, 'open');
"""

TABLE_OF_ALL = {
    "standby": Row(on_standby=True, plan=TELLS, script=FIRST, words=("connect to the primary",)),
    "read-only": Row(
        role="ALTER ROLE {role} SUPERUSER; ALTER ROLE {role} SET default_transaction_read_only = on",
        plan=TELLS,
        script=FIRST,
        words=("default_transaction_read_only is on",),
    ),
    "too-old": Row(plan="no server that old runs here", run="the same", script="the same"),
    "no-table": Row(key=Key("public", "Issues", ("hash",), "status = 'open'"), plan=WORDS),
    "not-a-table": Row(
        "CREATE VIEW seen AS SELECT * FROM issues", key=Key("public", "seen", ("hash",), None), plan=WORDS
    ),
    "no-column": Row(key=Key("public", "issues", ("hush",), "status = 'open'"), plan=WORDS, words=("no column hush",)),
    "temporary": Row(
        plan="a table of another session is not read: PostgreSQL refuses it (0A000)",
        run="the same: only its own session could ask, and a run has sessions of its own",
        script="the same",
    ),
    "too-many-columns": Row(
        "ALTER TABLE issues " + ", ".join(f"ADD c{n} int" for n in range(800)), words=("804 columns",)
    ),
    "keep-misfit": Row(policy=Policy(("id DESC",), {"status": "resolved"}, (("1", "2"),), 100, "p1"), plan=WORDS),
    "kept-twice": Row(
        policy=Policy(("id DESC",), {"status": "resolved"}, (("1",), ("4",)), 100, "p1"), words=("1 groups",)
    ),
    "no-primary-key": Row("ALTER TABLE issues DROP CONSTRAINT issues_pkey", words=("6 rows in 3 groups",)),
    "no-way-to-retire": Row(policy=assign(), words=("6 rows in 3 groups",)),
    "generated-column": Row(
        "ALTER TABLE issues ADD n int GENERATED ALWAYS AS IDENTITY", policy=assign(n=1), words=("the column n",)
    ),
    "primary-key-assigned": Row(policy=assign(id=1), words=("the column id",)),
    "carried-on": Row(CHILD.format("ON UPDATE SET NULL"), words=("follows of", "(ON UPDATE SET NULL)")),
    "misfit": Row(
        "ALTER TABLE issues ADD day date", policy=assign(day="never"), plan=WORDS,
        words=("invalid input syntax for type date",),
    ),
    "not-owner": Row(
        role="GRANT SELECT, UPDATE ON issues TO {role}; GRANT ALL ON SCHEMA public TO {role};"
        "GRANT CREATE ON DATABASE {db} TO {role}",
        plan=TELLS,
        words=("does not own the table",),
    ),
    "no-create": Row(
        role=OWNER + "REVOKE CREATE ON SCHEMA public FROM {role}",
        plan=TELLS,
        words=("may not create in schema public",),
    ),
    "no-update": Row(
        role="GRANT SELECT ON issues TO {role}; GRANT CREATE ON DATABASE {db} TO {role}", plan=TELLS,
        words=("may not SELECT and UPDATE",),
    ),
    "no-temporary": Row(
        role=OWNER + "REVOKE TEMPORARY ON DATABASE {db} FROM PUBLIC", plan=TELLS,
        undo="GRANT TEMPORARY ON DATABASE {db} TO PUBLIC", words=("may not make temporary tables",),
    ),
    "no-create-schema": Row(
        role="ALTER TABLE issues OWNER TO {role}; GRANT ALL ON SCHEMA public TO {role}", plan=TELLS,
        words=("may not make the schema vaccine",),
    ),
    "journal-rights": Row(
        role=OWNER + "CREATE SCHEMA vaccine; CREATE TABLE vaccine.journal (batch int, plan text, schema_name text,"
        " table_name text, key_columns text[], predicate text, images text, outcome text);"
        "GRANT ALL ON SCHEMA vaccine TO {role}",
        plan=TELLS,
        words=("made by role postgres, and this role lacks SELECT, INSERT, UPDATE on vaccine.journal",),
    ),
    "row-security": Row(
        "ALTER TABLE issues ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", role=OWNER,
        plan=WORDS,
    ),
    "replica-identity": Row(
        "ALTER TABLE issues REPLICA IDENTITY NOTHING; CREATE PUBLICATION p FOR TABLE issues",
        undo="DROP PUBLICATION p", words=("publication p", "(55000)"),
    ),
    "publication-columns": Row(
        "CREATE PUBLICATION p FOR TABLE issues WHERE (status = 'open')", undo="DROP PUBLICATION p",
        words=("(42P10): status",),
    ),
    "tablespace": Row(
        role=OWNER + "SET allow_in_place_tablespaces = on; CREATE TABLESPACE away LOCATION '';"
        "ALTER ROLE {role} SET default_tablespace = away",
        plan=TELLS, undo="DROP TABLESPACE away", words=("default_tablespace is away",),
    ),
    "partitioned": Row(
        "CREATE TABLE parts (id int PRIMARY KEY, hash text, status text) PARTITION BY RANGE (id);"
        "CREATE TABLE parts_1 PARTITION OF parts DEFAULT",
        key=Key("public", "parts", ("hash",), "status = 'open'"),
    ),
    "name-too-long": Row(index="u" * 64, words=("64 bytes",)),
    "name-taken": Row("CREATE TABLE u ()", words=("by a table",)),
    "other-index": Row("CREATE UNIQUE INDEX u ON issues (id, hash)", words=("USING btree (id, hash)",)),
    "index-impossible": Row(
        "ALTER TABLE issues ADD v text GENERATED ALWAYS AS (lower(hash)) VIRTUAL",
        key=Key("public", "issues", ("v",), "status = 'open'"),
        words=("virtual generated columns are not supported (0A000)",),
    ),
    "prepared": Row(two_phase=True, plan=TELLS, words=("ROLLBACK PREPARED 'held'",)),
    "key-too-wide": Row(
        "INSERT INTO issues SELECT 10, string_agg(md5(n::text), ''), 'open' FROM generate_series(1, 200) AS n",
        words=("(54000)", "DETAIL"),
    ),
    "inheritance": Row("CREATE TABLE heirs () INHERITS (issues)", plan=TELLS, run=SILENT, script=SILENT),
    "still-live": Row(policy=assign(note="x"), words=("6 rows, such as (1)",)),
    "value-refused": Row(
        "CREATE DOMAIN state AS text CHECK (VALUE IN ('open', 'done')); ALTER TABLE issues ALTER status TYPE state",
        words=('violates check constraint "state_check" (23514)',),
    ),
    "null-refused": Row(policy=assign(status=None), words=("the column status", "6 rows")),
    "check-violated": Row(
        "ALTER TABLE issues ADD CONSTRAINT noted CHECK (note IS NOT NULL) NOT VALID",
        words=("noted, CHECK ((note IS NOT NULL)) NOT VALID", "6 rows, such as (1)"),
    ),
    "reference-missing": Row(
        "CREATE TABLE states (s text PRIMARY KEY); INSERT INTO states VALUES ('open');"
        "ALTER TABLE issues ADD CONSTRAINT known FOREIGN KEY (status) REFERENCES states",
        words=("known, FOREIGN KEY (status)", "6 rows"),
    ),
    "row-in-use": Row(CHILD.format(""), words=("follows of", "2 rows there")),
    "collision": Row("CREATE UNIQUE INDEX closed ON issues (hash) WHERE status = 'resolved'", words=("3 times",)),
    "update-refused": Row(RAISES, words=("closed for ever (P0001); DETAIL: the detail; HINT: the hint",)),
    "update-untried": Row(
        RAISES + "CREATE ROLE lowly; ALTER FUNCTION refuse() OWNER TO lowly",
        undo="DROP OWNED BY lowly CASCADE; DROP ROLE lowly",
        plan=TELLS, run="preflight always tries", script="the script always tries",
    ),
    "exclusion": Row(
        "ALTER TABLE issues ADD CONSTRAINT apart EXCLUDE USING btree (id WITH =) WHERE (status = 'resolved')",
        plan=TELLS, run=SILENT, script=SILENT, words=("apart",),
    ),
    "references": Row(
        "CREATE TABLE child (i int REFERENCES issues ON DELETE CASCADE); INSERT INTO child VALUES (1), (2), (9)",
        plan=TELLS, run=SILENT, script=SILENT, words=("(ON DELETE CASCADE)", "2 rows there"),
    ),
    "item-references": Row(
        "CREATE TABLE directus_collections (); CREATE TABLE pages_m2a (collection varchar(64), item varchar(255));"
        "INSERT INTO pages_m2a VALUES ('issues', '1'), ('issues', '9'), ('other', '2')",
        plan=TELLS, run=SILENT, script=SILENT, words=("pages_m2a", "1 rows there"),
    ),
}  # fmt: skip
ASKED = [
    code for code, row in TABLE_OF_ALL.items() if row.plan in {BLOCKS, TELLS, WORDS} or row.run in {BLOCKS, SILENT}
]


def test_every_check_has_its_row() -> None:
    assert list(TABLE_OF_ALL) == list(CODES)


def test_a_check_that_blocks_is_asked_in_all_three_or_the_table_says_why() -> None:
    for check in EVERY:
        row = TABLE_OF_ALL[check.code]
        does = BLOCKS if check.blocking else SILENT
        expected = {"plan": {WORDS, TELLS if check.elsewhere or not check.blocking else BLOCKS}, "run": {does}}
        for cell, allowed in (("plan", expected["plan"]), ("run", {does}), ("script", {does})):
            said = getattr(row, cell)
            assert said in allowed or len(said.split()) > 1, (check.code, cell, said)


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[str]:
    """The URL of the one database."""
    name = f"checks_{os.getpid()}"
    with DatabaseJanitor(user="postgres", host="127.0.0.1", port=server.port, dbname=name):
        yield server.url_of(name)


@pytest.fixture(scope="module")
def scripts(shared: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The script of each row's upgrade, by its code: all printed by one run of the real command."""
    environment = make_environment(tmp_path_factory.mktemp("scripts"), shared)
    below = None
    for number, code in enumerate(ASKED):
        row, revision = TABLE_OF_ALL[code], f"aaaa{number:08}"
        key = {
            "schema": row.key.schema,
            "table": row.key.table,
            "columns": list(row.key.columns),
            "where": row.key.where,
        }
        policy = {"survivor": list(row.policy.survivor), "assign": dict(row.policy.assign), "max_rows": 100,
                  "keep": [list(each) for each in row.policy.keep], "plan": "p1"}  # fmt: skip
        both = UPGRADE.format(index=row.index).replace("**POLICY)", f"**POLICY, index={row.index!r})", 1)
        write_revision(environment, key, policy, index=row.index, revision=revision, down=below, upgrade=both)
        below = revision
    printed = environment.alembic("-x", f"vaccine.wait_s={WAIT_S}", "upgrade", "base:head", "--sql").stdout
    parts = re.split(r"^-- Running upgrade .*$", printed, flags=re.MULTILINE)[1:]
    return dict(zip(ASKED, parts, strict=True))


@pytest.mark.parametrize("code", ASKED)
def test_what_one_refuses_the_others_refuse(server: Server, shared: str, scripts: dict[str, str], code: str) -> None:
    row = TABLE_OF_ALL[code]
    role, name = f"asker_{os.getpid()}", psycopg.conninfo.conninfo_to_dict(shared)["dbname"]
    with psycopg.connect(shared, autocommit=True) as connection, ExitStack() as stack:
        connection.execute("SET client_min_messages = error; DROP SCHEMA IF EXISTS public, vaccine CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute((TABLE + row.ddl).encode())
        url = shared
        if row.role:
            connection.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public TO {role}")
            stack.callback(connection.execute, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
            for statement in row.role.format(role=role, db=name).split(";"):
                connection.execute(statement.encode())
            url = shared.replace("postgres@", f"{role}@")
        if row.undo:
            stack.callback(lambda: [connection.execute(each.encode()) for each in row.undo.format(db=name).split("; ")])
        if row.two_phase:
            connection.execute("BEGIN; INSERT INTO issues VALUES (99, 'z', 'closed'); PREPARE TRANSACTION 'held'")
            stack.callback(connection.execute, "ROLLBACK PREPARED 'held'")
            time.sleep(WAIT_S + 0.1)
        if row.on_standby:
            url = stack.enter_context(standby(server)).url_of(str(name))
        before = None if row.two_phase else connection.execute(ROWS).fetchall()
        told = [each for each in (plan(url, code, row), preflight(url, row, code),
                                  scripted(server, url, row, scripts[code], code)) if each]  # fmt: skip
        assert told
        for text in told:
            for word in row.words:
                assert word in text, text
        assert before is None or connection.execute(ROWS).fetchall() == before or SILENT in {row.run, row.script}


def plan(url: str, code: str, row: Row) -> str:
    """What the plan says of it."""
    if row.plan not in {BLOCKS, TELLS, WORDS}:
        return ""
    values: Assignment = tuple(
        (name, Expression(to["sql"]) if isinstance(to, dict) else to)  # type: ignore[misc]
        for name, to in row.policy.assign.items()
    )
    choices = Choices(where=row.key.where or "", assign=values, survivor=row.policy.survivor, name=row.index,
                      keep=row.policy.keep)  # fmt: skip
    name = KeyName(row.key.schema, row.key.table, row.key.columns)
    with read_only(url) as connection:
        if row.plan == WORDS:
            with pytest.raises(VaccineError) as refused:
                make_plan(connection, [name], choices)
            assert refused.value.fix
            return refused.value.why if code == "misfit" else ""
        (only,) = make_plan(connection, [name], choices).vaccinations
    found: list[Hazard] = [each for each in only.hazards if each.code == code]
    assert found, only.hazards
    assert all(each.blocking == (row.plan == BLOCKS) and each.fix for each in found), found
    return " / ".join(f"{each.text}: {each.fix}" for each in found)


def preflight(url: str, row: Row, code: str) -> str:
    """What preflight says of it."""
    if row.run not in {BLOCKS, SILENT}:
        return ""
    with running(url, wait_s=WAIT_S) as (run, _):
        if row.run == SILENT:
            before_resolve(run, row.key, row.policy, row.index)
            return ""
        with pytest.raises(PreflightError) as refused:
            before_resolve(run, row.key, row.policy, row.index)
    told = [reason for reason in refused.value.reasons if f"[{code}]" in reason]
    assert told, refused.value.reasons
    assert "nothing was changed" in refused.value.what
    return " / ".join(told)


def scripted(server: Server, url: str, row: Row, script: str, code: str) -> str:
    """What psql prints of it."""
    if row.script not in {BLOCKS, SILENT}:
        return ""
    if not row.role:
        version_table = "CREATE TABLE vaccine.alembic_version (version_num varchar(32) PRIMARY KEY)"
        psql(server, url, f"CREATE SCHEMA IF NOT EXISTS vaccine; {version_table}")
    done = psql(server, url, script, "-v", "ON_ERROR_STOP=1")
    if row.script == SILENT:
        assert "is refused" not in done.stderr
        return ""
    assert done.returncode == 3, done.stderr
    assert "is refused; nothing was changed" in done.stderr, done.stderr
    told = [line for line in done.stderr.splitlines() if f"[{code}]" in line]
    assert told, done.stderr
    return " / ".join(told)


def test_a_table_without_a_primary_key_and_without_duplicates_goes_up_down_and_up(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE + "ALTER TABLE issues DROP CONSTRAINT issues_pkey; DELETE FROM issues WHERE id > 3")
    shell = Shell(tmp_path, database)
    shell.vaccine("init")
    shell.vaccine("plan", "issues.hash", "--where", "status = 'open'", "--name", "u", "-o", "plan.json")
    shell.vaccine("revision", "plan.json")
    for command, there in (("upgrade head", True), ("downgrade base", False), ("upgrade head", True)):
        shell.alembic(*command.split())
        assert connection.execute("SELECT to_regclass('u') IS NOT NULL").fetchone() == (there,)


@pytest.mark.parametrize("lacks", ["its `assign` is empty", "the table has no primary key"])
def test_a_late_duplicate_that_nothing_would_retire_is_named(
    database: str, connection: psycopg.Connection, lacks: str
) -> None:
    connection.execute(TABLE)
    if "primary key" in lacks:
        connection.execute("ALTER TABLE issues DROP CONSTRAINT issues_pkey")
    policy = POLICY if "primary key" in lacks else assign()
    with running(database) as (run, _):
        table = read_table(run.worker, KEY)
        assert table is not None
        with pytest.raises(DriftedError, match="arrived during the build, and nothing in the revision") as refused:
            build_unique_index(run, "u", KEY, resolve=lambda: late_duplicates(run, table, KEY, policy).rows)
    assert lacks in refused.value.what
    assert "(0): 3 rows" in refused.value.why
    assert ("primary keys (3), (6), (9)" in refused.value.why) == (policy is not POLICY)
    assert connection.execute("SELECT to_regclass('u')").fetchone() == (None,)


def test_one_blocked_key_does_not_keep_the_others_from_their_revisions(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute(TABLE + "CREATE TABLE tasks (id int PRIMARY KEY, code text); INSERT INTO tasks VALUES (1, 'a')")
    shell = Shell(tmp_path, database)
    shell.vaccine("init")
    planned = shell.vaccine("plan", "issues.hash", "tasks.code", "-o", "plan.json", status=1)
    assert "[no-way-to-retire]" in planned.stdout
    done = shell.vaccine("revision", "plan.json", status=1)
    (path,) = done.stdout.splitlines()
    assert "public_tasks_code" in path
    assert "Blocked, no revision was written: public.issues (hash): `assign` is empty" in done.stderr
    assert "--assign COLUMN=VALUE" in done.stderr
    shell.alembic("upgrade", "head")


@pytest.mark.system
def test_a_primary_key_of_a_nondeterministic_collation_is_planned(
    database: str, connection: psycopg.Connection
) -> None:
    try:
        connection.execute("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this PostgreSQL is built without ICU, as the wheels are; the system's has it")
    connection.execute("CREATE TABLE issues (id text COLLATE ci PRIMARY KEY, hash text, status text)")
    connection.execute("INSERT INTO issues SELECT 'k' || n, n % 3, 'open' FROM generate_series(1, 9) AS n")
    choices = Choices(where="status = 'open'", assign=(("status", "resolved"),))
    with read_only(database) as reading:
        (only,) = make_plan(reading, [KeyName("public", "issues", ("hash",))], choices).vaccinations
    assert (only.blocked, only.fingerprint.excess_rows) == ((), 6)
    with running(database) as (run, _):
        _, work = before_resolve(run, KEY, replace(POLICY, survivor=only.survivor), "u")
    assert work.rows == 6
