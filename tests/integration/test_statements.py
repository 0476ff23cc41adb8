"""What pg_stat_statements shows of an application: lookups become keys, writers are named, what is hidden is said."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import conninfo

from tests.conftest import known_servers
from vaccine.audit.hints.statements import LENGTH, MOST, read_statements
from vaccine.audit.run import Audit, AuditSettings, run_audit
from vaccine.catalog.reader import Reader
from vaccine.catalog.reflect import reflect
from vaccine.demo.server import FAST, Server, serve

TABLE = "CREATE TABLE parcels (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, label text, shelf text, state text)"
LOOKUP = "SELECT id FROM parcels WHERE label = %s AND state = %s LIMIT 1"
QUEUE = "SELECT id FROM parcels WHERE shelf = %s LIMIT 1 FOR UPDATE SKIP LOCKED"


@pytest.fixture(scope="module", params=["15", "18"], ids=["pg15", "pg18"])
def watched(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with pg_stat_statements in shared_preload_libraries."""
    if request.param not in known_servers():
        pytest.skip(f"no PostgreSQL {request.param} on this machine")
    chosen = request.config.getoption("--pg")
    if chosen and request.param not in chosen.split(","):
        pytest.skip("not chosen by --pg")
    with serve(known_servers()[request.param], {**FAST, "shared_preload_libraries": "pg_stat_statements"}) as server:
        yield server


@pytest.fixture
def application(watched: Server) -> Iterator[psycopg.Connection]:
    """A database with the extension in a schema of its own, and an application that finds and then inserts."""
    with psycopg.connect(watched.url, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        admin.execute("CREATE DATABASE shop")
    with psycopg.connect(watched.url_of("shop"), autocommit=True) as connection:
        connection.execute('CREATE SCHEMA "the ""stats"; CREATE EXTENSION pg_stat_statements SCHEMA "the ""stats"')
        connection.execute(TABLE)
        yield connection


def _use(connection: psycopg.Connection, times: int) -> None:
    for number in range(times):
        connection.execute(LOOKUP, (f"p{number}", "here"))
        connection.execute(QUEUE, ("a",))
        connection.execute("INSERT INTO parcels (label, shelf, state) VALUES (%s, %s, %s)", (f"p{number}", "a", "here"))


def _audit(connection: psycopg.Connection) -> Audit:
    return run_audit(connection, AuditSettings(data=False))


def _about_statements(audit: Audit) -> list[str]:
    return [unknown for unknown in audit.unknowns if unknown.startswith("what applications run")]


def test_a_lookup_before_an_insert_makes_a_key_and_names_its_writer(application: psycopg.Connection) -> None:
    assert not _audit(application).findings
    _use(application, 20)
    audit = _audit(application)
    assert _about_statements(audit) == []
    [finding] = [each for each in audit.findings if each.table == "parcels"]
    assert finding.columns == ("label",)  # not the state, and not the shelf of the queue
    assert any("a statement called 20 times finds a row by label with LIMIT 1" in why for why in finding.reasons)
    writer = next(writer for writer in finding.writers if writer.kind == "statement")
    assert writer.evidence == "called 20 times"
    assert "INSERT INTO parcels" in writer.name


def test_a_lookup_that_finds_many_rows_is_a_list_and_no_key(application: psycopg.Connection) -> None:
    _use(application, 20)
    for _ in range(20):
        application.execute("SELECT * FROM parcels WHERE shelf = 'a'")
    found = read_statements(Reader(application), reflect(Reader(application)))
    assert [one.calls for one in found.lookups if "SELECT *" in one.text] == []
    assert [one.calls for one in found.lookups if "label" in one.text] == [20]


def test_a_role_that_sees_its_own_statements_only_says_so(application: psycopg.Connection, watched: Server) -> None:
    _use(application, 20)
    application.execute("DROP ROLE IF EXISTS looks; CREATE ROLE looks LOGIN")
    application.execute('GRANT USAGE ON SCHEMA "the ""stats" TO looks; GRANT SELECT ON parcels TO looks')
    with psycopg.connect(conninfo.make_conninfo(watched.url_of("shop"), user="looks")) as connection:
        audit = _audit(connection)
        [unknown] = _about_statements(audit)
        assert "statements of other roles from this role; GRANT pg_read_all_stats to it" in unknown
        assert not audit.findings
        application.execute('REVOKE USAGE ON SCHEMA "the ""stats" FROM looks')
        [unknown] = _about_statements(_audit(connection))
        assert "permission denied" in unknown
        application.execute('GRANT USAGE ON SCHEMA "the ""stats" TO looks; GRANT pg_read_all_stats TO looks')
        audit = _audit(connection)
        assert _about_statements(audit) == []
        assert [finding.columns for finding in audit.findings] == [("label",)]


def test_many_and_long_texts_are_bounded(application: psycopg.Connection) -> None:
    application.execute("SET pg_stat_statements.track = 'all'")
    long_text = "SELECT id FROM parcels WHERE label = %s AND " + " AND ".join(["shelf IS NOT NULL"] * (LENGTH // 18))
    for _ in range(10):
        application.execute(long_text, ("x",))
    application.execute(
        f"""DO $$ BEGIN FOR n IN 1..{MOST + 20} LOOP FOR i IN 1..6 LOOP
        EXECUTE format('SELECT %s FROM parcels WHERE label = $1', replace(replace(
            array_to_string(regexp_split_to_array(n::bit(11)::text, ''), ','), '0', 'id'), '1', 'shelf')) USING 'x';
        END LOOP; END LOOP; END $$"""
    )
    found = read_statements(Reader(application), reflect(Reader(application)))
    assert len(found.lookups) == MOST
    assert max(len(one.text) for one in (*found.lookups, *found.inserts)) <= LENGTH


@pytest.mark.system
def test_what_cannot_be_read_is_said_once(connection: psycopg.Connection) -> None:
    connection.execute(TABLE + "; CREATE TABLE others (id int PRIMARY KEY, code text, slug text)")
    [unknown] = _about_statements(_audit(connection))
    assert "not installed in this database" in unknown
    try:
        connection.execute("CREATE EXTENSION pg_stat_statements")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server has no contrib modules")
    [unknown] = _about_statements(_audit(connection))
    assert "add pg_stat_statements to shared_preload_libraries" in unknown
