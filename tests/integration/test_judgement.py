"""Who is live, how a row is retired, damage or groups: judged by the rows of tables that no rule was made for."""

from __future__ import annotations

import tomllib
from pathlib import Path

import psycopg
import pytest

from vaccine.audit.finding import Finding, Priority
from vaccine.audit.run import AuditSettings, audit_key, run_audit
from vaccine.catalog.keyname import parse_key
from vaccine.plan.make import make_plan
from vaccine.plan.request import Choices, parse_assignment

CASES = sorted(path.parent for path in (Path(__file__).parents[1] / "cases").glob("*/case.toml"))
RIGHT = {"01", "02", "04"}  # all of it is inferred; of the others a person is asked, with the option that settles it
ASKED = {
    "06": set(), "07": {"where", "survivor"}, "08": {"where"}, "10": set(), "14": set(), "16": {"survivor"},
}  # fmt: skip


def judged(connection: psycopg.Connection, folder: Path) -> tuple[dict[str, object], Finding]:
    connection.execute((folder / "schema.sql").read_bytes())
    case = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
    name = parse_key(case["key"])
    return case, audit_key(connection, AuditSettings(), ("public", name.table), name.columns)


@pytest.mark.parametrize("folder", CASES, ids=[folder.name for folder in CASES])
def test_a_real_case_is_inferred_or_asked(connection: psycopg.Connection, folder: Path) -> None:
    case, finding = judged(connection, folder)
    number, found = folder.name[:2], finding.lifecycle
    assert found is not None
    assert finding.priority is Priority.HIGH
    if number in RIGHT:
        end = case["end"]
        assert (finding.live_duplicate_groups, finding.live_excess_rows) == (end["groups"], end["excess"])  # type: ignore[index]
        assert finding.predicate == case["where"]
        assert set(found.assign) == {parse_assignment(text) for text in case["assign"]}  # type: ignore[attr-defined]
        assert found.questions == ()
    else:
        assert {question.about for question in found.questions} == ASKED[number]
        assert found.questions or not found.assign  # nothing is proposed that would be wrong
        assert all(question.options for question in found.questions)


BLOCKED = {
    "06": {"no-way-to-retire"}, "07": {"decide", "no-way-to-retire"}, "08": {"decide", "no-way-to-retire"},
    "10": {"no-primary-key", "no-way-to-retire"}, "14": {"decide", "no-way-to-retire"}, "16": {"decide"},
}  # fmt: skip


@pytest.mark.parametrize("folder", CASES, ids=[folder.name for folder in CASES])
def test_no_bare_plan_is_wrong(connection: psycopg.Connection, folder: Path) -> None:
    connection.execute((folder / "schema.sql").read_bytes())
    case = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
    connection.read_only, connection.autocommit = True, False
    [found] = make_plan(connection, [parse_key(case["key"])], Choices()).vaccinations
    blocked = {hazard.code for hazard in found.blocked}
    if folder.name[:2] in RIGHT:
        assert blocked == set()
        assert (found.where, found.fingerprint.groups, found.max_rows) == (
            case["where"],
            case["end"]["groups"],
            case["end"]["excess"],
        )
    else:
        assert blocked
        assert blocked <= BLOCKED[folder.name[:2]]
        assert all(hazard.fix for hazard in found.blocked)


def test_many_rows_want_their_number_repeated(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE t (id bigserial PRIMARY KEY, code text NOT NULL, deleted_at timestamptz)")
    connection.execute("INSERT INTO t (code) SELECT 'c' || n FROM generate_series(1, 300) n")
    connection.execute("INSERT INTO t (code) SELECT 'c' || n FROM generate_series(1, 21) n")
    connection.read_only, connection.autocommit = True, False
    key = [parse_key("t.code")]
    [found] = make_plan(connection, key, Choices()).vaccinations
    [many] = found.blocked
    assert (many.code, many.fix) == ("many-rows", "read the groups, then repeat the number: --max-rows 21")
    [found] = make_plan(connection, key, Choices(max_rows=21)).vaccinations
    assert found.blocked == ()


@pytest.mark.parametrize("made", ["within a second", "unknown"])
def test_the_race_of_a_real_table_is_never_hidden(connection: psycopg.Connection, made: str) -> None:
    ranks = []
    order = list(Priority)
    for percent in (1, 3, 6, 10, 15, 20, 30, 40, 50, 60):
        connection.execute("DROP TABLE IF EXISTS orders")
        connection.execute("CREATE TABLE orders (id bigserial PRIMARY KEY, code text NOT NULL, created_at timestamptz)")
        for rows, later in ((200, "0 s"), (2 * percent, "1 s")):
            at = "NULL" if made == "unknown" else f"timestamptz '2026-01-01' + n * interval '1 h' + interval '{later}'"
            series = f"generate_series(1, {rows}) AS n"
            connection.execute(f"INSERT INTO orders (code, created_at) SELECT 'c' || n, {at} FROM {series}".encode())
        [finding] = [each for each in run_audit(connection, AuditSettings()).findings if each.columns == ("code",)]
        ranks.append(order.index(finding.priority))
    assert ranks == sorted(ranks, reverse=True)  # the priority never falls as the damage grows
    assert ranks[-1] == order.index(Priority.HIGH)


def test_what_repeats_evenly_over_time_is_for_a_person(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE orders (id bigserial PRIMARY KEY, code text NOT NULL, created_at timestamptz)")
    connection.execute(
        "INSERT INTO orders (code, created_at) SELECT 'c' || 1 + n % 200, timestamptz '2026-01-01' + n * interval '1 h'"
        " FROM generate_series(0, 259) n"
    )
    [finding] = [each for each in run_audit(connection, AuditSettings()).findings if each.columns == ("code",)]
    assert finding.priority is Priority.DECIDE
    [query] = [reason.partition("look at: ")[2] for reason in finding.reasons if "look at: " in reason]
    assert len(connection.execute(query.encode()).fetchall()) == 20


def test_most_rows_repeated_is_damage_where_a_sibling_guards_and_writers_raced(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE accounts (id int PRIMARY KEY, code text UNIQUE)")
    connection.execute("CREATE TABLE orders (id bigserial PRIMARY KEY, code text NOT NULL, created_at timestamptz)")
    connection.execute(
        "INSERT INTO orders (code, created_at) SELECT 'c' || n % 99, timestamptz '2026-01-01' + n % 99 * interval '1 h'"
        " FROM generate_series(1, 200) n"
    )
    asked = ("public", "orders"), ("code",)
    assert audit_key(connection, AuditSettings(), *asked).priority is Priority.HIGH
    connection.execute("ALTER TABLE orders DROP created_at")
    assert audit_key(connection, AuditSettings(), *asked).priority is Priority.DECIDE
    assert [each.priority for each in run_audit(connection, AuditSettings()).findings if each.table == "orders"] == [
        Priority.DECIDE
    ]


def test_a_scope_says_nothing_of_who_is_live(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE pages (id bigserial PRIMARY KEY, slug text NOT NULL, locale text NOT NULL)")
    connection.execute("CREATE UNIQUE INDEX uq ON pages (slug) WHERE locale = 'en'")
    connection.execute("INSERT INTO pages (slug, locale) SELECT 'p' || n, 'en' FROM generate_series(1, 40) n")
    connection.execute("INSERT INTO pages (slug, locale) VALUES ('q', 'de'), ('q', 'de')")
    finding = audit_key(connection, AuditSettings(), ("public", "pages"), ("slug",))
    assert finding.priority is Priority.HIGH
    assert (finding.predicate, finding.live_excess_rows) == (None, 1)


def test_a_deletion_hides_what_refers_to_the_row(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE folders (id bigserial PRIMARY KEY, slug text NOT NULL, deleted_at timestamptz)")
    connection.execute("CREATE TABLE files (id bigserial PRIMARY KEY, folder bigint REFERENCES folders)")
    connection.execute("INSERT INTO folders (slug) SELECT 's' || n FROM generate_series(1, 30) n")
    connection.execute("INSERT INTO folders (slug, deleted_at) SELECT 's' || n, now() FROM generate_series(1, 20) n")
    connection.execute("INSERT INTO folders (slug) VALUES ('s1')")
    key = ("public", "folders"), ("slug",)
    assert audit_key(connection, AuditSettings(), *key).lifecycle.questions == ()  # type: ignore[union-attr]
    connection.execute("INSERT INTO files (folder) SELECT id FROM folders")
    [question] = audit_key(connection, AuditSettings(), *key).lifecycle.questions  # type: ignore[union-attr]
    assert (question.about, question.options) == ("assign", ("--assign 'deleted_at=sql:now()'",))
    assert question.text.startswith("1 rows of public.files (folder)")


def test_the_row_that_is_more_alive_stays(connection: psycopg.Connection) -> None:
    connection.execute(
        "CREATE TABLE jobs (id bigserial PRIMARY KEY, code text NOT NULL, status text NOT NULL, enabled boolean,"
        ' "updatedAt" timestamptz)'
    )
    connection.execute("INSERT INTO jobs (code, status) SELECT 'c' || n, 'done' FROM generate_series(1, 60) n")
    connection.execute("INSERT INTO jobs (code, status) SELECT 'c' || n, 'queued' FROM generate_series(1, 60) n")
    connection.execute("INSERT INTO jobs (code, status, enabled) VALUES ('c1', 'running', true)")
    found = audit_key(connection, AuditSettings(), ("public", "jobs"), ("code",)).lifecycle
    assert found is not None
    assert found.survivor == (
        "enabled IS TRUE DESC",
        "CASE status WHEN 'running' THEN 0 WHEN 'queued' THEN 1 ELSE 2 END",
        '"updatedAt" DESC NULLS LAST',
        "id DESC",
    )
    order = ", ".join(found.survivor)
    [(stays,)] = connection.execute(
        f"SELECT status FROM jobs WHERE code = 'c1' AND status <> 'done' ORDER BY {order} LIMIT 1".encode()
    ).fetchall()
    assert stays == "running"


def test_a_key_that_is_open_where_a_column_is_null_is_damage(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE votes (id bigserial PRIMARY KEY, thing int, voter int, scope text)")
    connection.execute("CREATE UNIQUE INDEX uq ON votes (thing, voter, scope)")
    connection.execute("INSERT INTO votes (thing, voter) SELECT n % 10, n FROM generate_series(1, 60) n")
    connection.execute("INSERT INTO votes (thing, voter) VALUES (1, 1), (2, 2)")
    key = ("public", "votes"), ("thing", "voter", "scope")
    finding = audit_key(connection, AuditSettings(), *key)
    assert finding.priority is Priority.HIGH
    assert "2 groups with 2 rows too many are the same but for scope, which is NULL there" in finding.reasons[0]
    assert finding.lifecycle is not None
    [question] = finding.lifecycle.questions
    assert question.options == ("vaccine plan public.votes.thing,voter --where 'scope IS NULL'",)
    connection.execute("UPDATE votes SET scope = 's' WHERE id > 60")
    assert audit_key(connection, AuditSettings(), *key).priority is Priority.GUARDED


def test_what_is_made_together_by_right_is_no_race(connection: psycopg.Connection) -> None:
    """The lines of an order, the events of a session, an import: all within a second, and no key."""
    connection.execute("CREATE TABLE orders (id bigserial PRIMARY KEY, created_at timestamptz)")
    connection.execute(
        "CREATE TABLE lines (id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, session_key text,"
        " created_at timestamptz)"
    )
    connection.execute("INSERT INTO orders SELECT n, timestamptz '2026-01-01' + n * interval '1 h'"
                       " FROM generate_series(0, 149) n")  # fmt: skip
    connection.execute(
        "INSERT INTO lines (order_id, session_key, created_at) SELECT n % 150, 's' || n % 40, timestamptz '2026-01-01'"
        " + n % 150 * interval '1 h' FROM generate_series(1, 210) n"
    )
    found = run_audit(connection, AuditSettings()).findings
    assert [each.columns for each in found if each.priority in {Priority.HIGH, Priority.DECIDE}] == []
