"""The audit on a real server: it writes nothing, survives what a database may hold, and says what it could not see."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import conninfo, sql

from tests.standby import standby
from vaccine.audit.finding import Finding, Priority
from vaccine.audit.lifecycle import Override
from vaccine.audit.measure import Limits
from vaccine.audit.run import Audit, AuditSettings, audit_key, run_audit
from vaccine.demo.server import Server
from vaccine.errors import PredicateError, UnknownKeyError


def _issues(connection: psycopg.Connection, rows: int = 60) -> None:
    connection.execute(
        "CREATE TABLE issues (id int PRIMARY KEY, issue_hash text, status text NOT NULL DEFAULT 'open',"
        " updated_at timestamptz)"
    )
    connection.execute(
        "INSERT INTO issues SELECT n, 'h' || CASE WHEN n > %s - 2 THEN 1 ELSE n END,"
        " CASE WHEN n %% 3 = 0 THEN 'closed' ELSE 'open' END, '2026-01-01'::timestamptz + n * interval '1 day'"
        " FROM generate_series(1, %s) AS n",
        (rows, rows),
    )
    connection.execute("ANALYZE issues")


def _one(audit: Audit, table: str) -> Finding:
    return next(finding for finding in audit.findings if finding.table == table)


def _vaccine(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "vaccine", *arguments], capture_output=True, text=True, check=False)


@contextmanager
def _role(connection: psycopg.Connection, name: str) -> Iterator[str]:
    """A role that may SELECT everything in public and no more; its libpq URL."""
    connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(sql.Identifier(name)))
    try:
        yield conninfo.make_conninfo(connection.info.dsn, user=name)
    finally:
        connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


@pytest.mark.every_version
def test_it_writes_nothing_and_locks_nothing_beyond_access_share(connection: psycopg.Connection) -> None:
    _issues(connection)
    position, counters = "SELECT pg_current_wal_insert_lsn()", "SELECT tup_inserted, tup_updated, tup_deleted FROM"
    counters += " pg_stat_database WHERE datname = current_database()"
    with _role(connection, "reads_only") as url, psycopg.connect(url) as reading:
        run_audit(
            reading, AuditSettings()
        )  # sets hint bits of rows just written, which page checksums put into the WAL
        quiet = False
        for _ in range(5):  # the server itself logs its running transactions every 15 seconds
            before = connection.execute(position).fetchone(), connection.execute(counters).fetchone()
            audit = run_audit(reading, AuditSettings())
            with reading.transaction():
                audit_key(reading, AuditSettings(), ("public", "issues"), ("issue_hash",))
                modes = connection.execute(
                    "SELECT DISTINCT mode FROM pg_locks WHERE pid = %s AND locktype = 'relation'",
                    (reading.info.backend_pid,),
                ).fetchall()
                written = reading.execute("SELECT pg_current_xact_id_if_assigned()").fetchone()
            after = connection.execute(position).fetchone(), connection.execute(counters).fetchone()
            quiet = quiet or before == after
    assert quiet
    assert _one(audit, "issues").priority is Priority.HIGH
    assert {mode for (mode,) in modes} <= {"AccessShareLock"}
    assert written == (None,)


def test_a_write_inside_a_block_is_refused_by_the_server(connection: psycopg.Connection) -> None:
    from vaccine.catalog.reader import Reader

    _issues(connection)
    reader = Reader(connection)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), reader.block():
        reader.run("DELETE FROM public.issues")
    with (
        connection.transaction()
    ):  # a savepoint of a transaction that writes is READ ONLY too, and writing goes on after
        connection.execute("DELETE FROM issues WHERE id = 1")
        with reader.block():
            assert reader.row("SELECT count(*) FROM public.issues") == (59,)
        connection.execute("DELETE FROM issues WHERE id = 2")


def test_the_lifecycle_comes_from_the_rows_when_history_repeats_the_key(connection: psycopg.Connection) -> None:
    _issues(connection)
    finding = _one(run_audit(connection, AuditSettings()), "issues")
    assert finding.predicate == "status = 'open' AND issue_hash IS NOT NULL"
    assert finding.lifecycle is not None
    assert finding.lifecycle.assign == (("status", "closed"),)
    assert finding.lifecycle.survivor == ("updated_at DESC NULLS LAST", "id DESC")
    assert (finding.live_duplicate_groups, finding.live_excess_rows) == (1, 1)


def test_a_person_overrules_the_lifecycle(connection: psycopg.Connection) -> None:
    _issues(connection)
    key = ("public", "issues", ("issue_hash",))
    settings = AuditSettings(overrides={key: Override(predicate="id > 1", assign=(("status", "merged"),))})
    finding = _one(run_audit(connection, settings), "issues")
    assert finding.predicate == "(id > 1) AND issue_hash IS NOT NULL"
    assert finding.lifecycle is not None
    assert finding.lifecycle.assign == (("status", "merged"),)
    assert finding.live_excess_rows == 1
    with pytest.raises(PredicateError, match="cannot be used"):
        run_audit(connection, AuditSettings(overrides={key: Override(predicate="no_such > 1")}))


def test_unknown_names_are_refused(connection: psycopg.Connection) -> None:
    _issues(connection)
    with pytest.raises(UnknownKeyError, match=r"no table public\.nothing"):
        audit_key(connection, AuditSettings(), ("public", "nothing"), ("a",))
    with pytest.raises(UnknownKeyError, match="no column hash"):
        audit_key(connection, AuditSettings(), ("public", "issues"), ("hash",))


def test_row_security_and_missing_rights_are_said_not_ignored(connection: psycopg.Connection) -> None:
    _issues(connection)
    connection.execute(
        "CREATE TABLE secrets (id int PRIMARY KEY, code text); CREATE TABLE hidden (id int PRIMARY KEY, code text)"
    )
    connection.execute("ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON hidden USING (id < 5)")
    with _role(connection, "sees_little") as url:
        connection.execute("REVOKE SELECT ON secrets FROM sees_little")
        with psycopg.connect(url) as reading:
            hidden = audit_key(reading, AuditSettings(), ("public", "hidden"), ("code",))
            secret = audit_key(reading, AuditSettings(), ("public", "secrets"), ("code",))
    assert hidden.rows is None
    assert "row-level security hides rows of public.hidden" in hidden.unknowns[0]
    assert "may not read public.secrets" in secret.unknowns[0]
    assert secret.live_duplicate_groups is None


def test_what_the_budget_leaves_out_is_unknown(connection: psycopg.Connection) -> None:
    _issues(connection)
    finding = _one(run_audit(connection, AuditSettings(budget_s=0, min_score=0)), "issues")
    assert finding.rows is None
    assert finding.live_duplicate_groups is None
    assert "time budget ran out" in finding.unknowns[0]


def test_a_locked_table_is_unknown_and_the_rest_goes_on(connection: psycopg.Connection, database: str) -> None:
    _issues(connection)
    connection.execute("CREATE TABLE others (id int PRIMARY KEY, slug text)")
    with psycopg.connect(database) as blocker:
        blocker.execute("LOCK TABLE issues IN ACCESS EXCLUSIVE MODE")
        audit = run_audit(connection, AuditSettings(min_score=0))
    assert "was locked by another session" in _one(audit, "issues").unknowns[0]
    assert _one(audit, "others").rows == 0


@pytest.mark.parametrize("rows", [500, 5000])
def test_large_and_huge_tables_take_the_cheap_way(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(
        "vaccine.audit.run.Limits", lambda **given: Limits(large_rows=400, huge_rows=3000, sample_rows=2000, **given)
    )
    _issues(connection, rows)
    connection.execute("ALTER TABLE issues ADD deleted_at timestamptz")
    finding = audit_key(connection, AuditSettings(), ("public", "issues"), ("issue_hash",))
    assert finding.predicate == "deleted_at IS NULL AND issue_hash IS NOT NULL"
    assert finding.rows is None
    assert "only the live rows were counted" in finding.unknowns[0]
    assert finding.live_excess_rows == 2
    assert ("sample_rows" in dict(finding.details)) == (rows == 5000)


def test_jobs_give_the_same_findings(connection: psycopg.Connection, database: str) -> None:
    _issues(connection)
    for number in range(6):
        connection.execute(f"CREATE TABLE t{number} (id int PRIMARY KEY, slug text, code text)")
    alone = run_audit(connection, AuditSettings(min_score=0))
    seen = []
    settings = AuditSettings(min_score=0, jobs=3, connect=lambda: psycopg.connect(database), progress=seen.append)
    together = run_audit(connection, settings)
    assert together.findings == alone.findings
    assert seen[-1].done == seen[-1].total == 7


def test_jobs_make_do_with_the_connections_that_may_be_opened(connection: psycopg.Connection) -> None:
    for number in range(6):
        connection.execute(f"CREATE TABLE t{number} (id int PRIMARY KEY, slug text NOT NULL)")
    with _role(connection, "has_two") as url:
        connection.execute("ALTER ROLE has_two CONNECTION LIMIT 2")
        done = _vaccine("audit", "--url", url, "--jobs", "5", "--format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {finding["rows"] for finding in report["findings"]} == {0}
    [unknown] = [unknown for unknown in report["unknowns"] if unknown.startswith("--jobs")]
    assert "only 2 connections could be opened" in unknown
    assert "too many connections for role" in unknown


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_ctrl_c_ends_it_at_once_and_leaves_no_query_behind(
    connection: psycopg.Connection, database: str, jobs: str
) -> None:
    slow = []
    connection.execute(
        "CREATE FUNCTION slept() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS"
        " $$BEGIN PERFORM pg_sleep(300); RETURN true; END$$"
    )
    for number in range(4):
        connection.execute(
            f"CREATE TABLE t{number} (id int PRIMARY KEY, slug text); INSERT INTO t{number} VALUES (1, 'a')"
        )
        slow += ["--where", f"t{number}.slug", "public.slept() OR id IS NULL"]
    command = [sys.executable, "-m", "vaccine", "audit", "--url", database, "--jobs", jobs, *slow]
    running = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vaccine' AND state = 'active'"
    asleep = running + " AND query LIKE '%slept%' AND datname = current_database()"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(300):
            if connection.execute(asleep).fetchone() == (int(jobs),):
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    for _ in range(100):
        if connection.execute(asleep).fetchone() == (0,):
            break
        time.sleep(0.1)
    assert connection.execute(asleep).fetchone() == (0,)


HOSTILE_SCHEMA = "sch\"e.ma '%s"
HOSTILE_TABLE = 'Table "Über" {x}\n; DROP TABLE %(y)s--'
HOSTILE_KEY = "select" + "ü" * 28
HOSTILE_STATUS = 'St"atus'


@pytest.mark.every_version
def test_hostile_names_and_values(connection: psycopg.Connection) -> None:
    table = sql.Identifier(HOSTILE_SCHEMA, HOSTILE_TABLE)
    key, status = sql.Identifier(HOSTILE_KEY), sql.Identifier(HOSTILE_STATUS)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(HOSTILE_SCHEMA)))
    connection.execute(sql.SQL('CREATE TABLE {} ("user" int PRIMARY KEY, {} text, {} text)').format(table, key, status))
    connection.execute(
        sql.SQL("CREATE INDEX ON {} ({}) WHERE {} = {}").format(table, status, status, sql.Literal("it's \\open"))
    )
    for number, value in enumerate(["it's \\open", "it's \\open", "closed", "closed"]):
        row = sql.SQL(", ").join(map(sql.Literal, (number, "x", value)))
        connection.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(table, row))
    where = "\"St\"\"atus\" = E'it''s \\\\open'"
    finding = audit_key(connection, AuditSettings(), (HOSTILE_SCHEMA, HOSTILE_TABLE), (HOSTILE_KEY,), where)
    assert finding.live_excess_rows == 1
    assert finding.lifecycle is not None
    assert finding.lifecycle.survivor == ('"user" DESC',)
    assert finding.predicate is not None
    assert finding.predicate.startswith("\"St\"\"atus\" = 'it''s \\open' AND ")
    form = conninfo.make_conninfo(connection.info.dsn)
    for name in ("table", "markdown", "html", "sarif", "json"):
        done = _vaccine("audit", "--url", form, "--format", name, "--min-score", "0", "--all")
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        if name in {"json", "sarif"}:
            json.loads(done.stdout)


def test_bad_requests_have_their_exit_status(database: str) -> None:
    assert _vaccine("audit", "--url", "postgresql://nobody@127.0.0.1:1/x").returncode == 3
    assert _vaccine("audit", "--url", database, "--schema", "absent").returncode == 2
    assert _vaccine("audit", "--url", database, "--settings", "/absent.toml").returncode == 2
    assert _vaccine("audit", "--url", database, "--format", "pdf").returncode == 2


def test_a_hot_standby_will_do(connection: psycopg.Connection, server: Server) -> None:
    _issues(connection)
    connection.execute("CREATE TABLE tasks (id int PRIMARY KEY, code text, state text)")
    connection.execute("CREATE UNIQUE INDEX uq ON tasks (code) WHERE lower(state) = 'open'")
    name = connection.info.dbname
    with standby(server) as copy, psycopg.connect(copy.url_of(name)) as reading:
        audit = run_audit(reading, AuditSettings())
        asked = audit_key(reading, AuditSettings(), ("public", "tasks"), ("code",), "state = 'open'")
    assert audit.catalog.in_recovery
    assert asked.guarded_by == ("uq",)  # the planner was asked whether one predicate implies the other
    assert _one(audit, "issues").live_excess_rows == 1
    assert any("standby keeps no table statistics" in unknown for unknown in audit.unknowns)
