"""What a survivor order rests on: a stamped column changes the survivor after an undo, a random key is chance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.commands import Shell
from vaccine.plan.groups import Selection
from vaccine.plan.order import Stamper, ordering_columns, random_order, stamped_order
from vaccine.plan.target import read_target

TABLE = """
CREATE TABLE issues (id int PRIMARY KEY, hash text, status text, "Seen at" timestamptz, note text);
INSERT INTO issues VALUES (1, 'a', 'open', '2026-01-03'), (2, 'a', 'open', '2026-01-02');
INSERT INTO issues VALUES (3, 'a', 'open', '2026-01-01');
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    new."Seen at" := clock_timestamp();
    RETURN new;
END $$;
CREATE TRIGGER stamps BEFORE UPDATE ON issues FOR EACH ROW EXECUTE FUNCTION stamp();
"""
PLAN = ("plan", "issues.hash", "--where", "status = 'open'", "--assign", "status=resolved", "-o", "plan.json")
BY_STAMP = ("--survivor", '"Seen at" DESC')


@pytest.fixture
def keeper(connection: psycopg.Connection) -> Iterator[str]:
    connection.execute(TABLE)
    role = f"keeper_{connection.info.dbname}"
    connection.execute(f"CREATE ROLE {role} LOGIN; GRANT ALL ON DATABASE {connection.info.dbname} TO {role}")
    connection.execute(f"GRANT ALL ON SCHEMA public TO {role}; ALTER TABLE issues OWNER TO {role}")
    yield role
    connection.execute(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def codes(shell: Shell, *arguments: str, **words: str) -> dict[str, str]:
    shell.vaccine(*PLAN, *arguments, **words)
    (only,) = json.loads((shell.folder / "plan.json").read_text())["vaccinations"]
    return {each["code"]: each["text"] for each in only["hazards"]}


def test_the_hazard_tells_of_the_other_survivor_that_there_is(
    tmp_path: Path, database: str, connection: psycopg.Connection, keeper: str
) -> None:
    """Up, down, up with the weak role: another row survives. That is what the hazard says beforehand."""
    shell = Shell(tmp_path, database.replace("postgres@", f"{keeper}@"))
    told = codes(shell, *BY_STAMP, "--max-rows", "5")
    assert "stamps may stamp Seen at on UPDATE, which this role cannot silence" in told["stamped-order"]
    shell.vaccine("init")
    shell.vaccine("revision", "plan.json")
    shell.alembic("upgrade", "head")
    live = "SELECT id FROM issues WHERE status = 'open'"
    assert connection.execute(live).fetchall() == [(1,)]
    shell.alembic("downgrade", "base")
    shell.alembic("-x", "vaccine.drift=accept", "upgrade", "head")
    assert connection.execute(live).fetchall() != [(1,)]
    shell.alembic("downgrade", "base")


def test_no_such_hazard_where_the_role_may_silence_the_trigger_or_the_order_does_not_read_it(
    database: str, connection: psycopg.Connection, keeper: str
) -> None:
    target = read_target(connection, "public", "issues")
    stamps = ("stamps", "Seen at")
    by_stamp = ['"Seen at" DESC', "id DESC"]
    with psycopg.connect(database.replace("postgres@", f"{keeper}@"), autocommit=True) as weak:
        assert stamped_order(weak, target, by_stamp) == stamps
        assert stamped_order(weak, target, ["id DESC"]) is None
        assert stamped_order(connection, target, by_stamp) is None
        connection.execute("ALTER TABLE issues ENABLE ALWAYS TRIGGER stamps")
        assert stamped_order(connection, target, by_stamp) == stamps
        connection.execute("ALTER TABLE issues DISABLE TRIGGER stamps")
        assert stamped_order(weak, target, by_stamp) is None


@pytest.mark.parametrize(
    ("kind", "value", "order", "random"),
    [
        ("uuid", "gen_random_uuid()", ["id DESC"], True),
        ("text", "gen_random_uuid()::text", ["id DESC"], True),
        ("text", "md5(n::text)", ["id DESC"], True),
        ("uuid", "('018f3a5c-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid", ["id"], False),
        ("uuid", "gen_random_uuid()", ["made DESC", "id DESC"], False),
        ("text", "'ISS-' || n", ["id"], False),
        ("bigint", "n", ["id DESC NULLS LAST"], False),
    ],
)
def test_an_order_of_random_keys_alone_is_said(
    connection: psycopg.Connection, kind: str, value: str, order: list[str], random: bool
) -> None:
    connection.execute(f"CREATE TABLE issues (id {kind} PRIMARY KEY, hash text, status text, made int)")
    connection.execute(f"INSERT INTO issues SELECT {value}, 'a', 'open', n FROM generate_series(1, 5) AS n")
    target = read_target(connection, "public", "issues")
    of = Selection("public", "issues", ("hash",), "status = 'open'", ("id",), tuple(order))
    assert random_order(connection, target, of) == (("id",) if random else ())


def test_a_plan_says_that_the_order_is_chance(tmp_path: Path, database: str, connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE issues (id uuid PRIMARY KEY, hash text, status text)")
    connection.execute("INSERT INTO issues SELECT gen_random_uuid(), 'a', 'open' FROM generate_series(1, 5)")
    assert "random" in codes(Shell(tmp_path, database))["random-order"]


def test_a_trigger_that_only_reads_the_column_is_no_stamper() -> None:
    def trigger(source: str, language: str = "plpgsql", arguments: str = "") -> Stamper:
        return Stamper("t", language, source, arguments, always=False)

    assert trigger("BEGIN NEW.seen_at := now(); RETURN NEW; END").may_stamp("seen_at")
    assert trigger('begin new . "Seen (at)" = now(); end').may_stamp("Seen (at)")
    assert not trigger("BEGIN INSERT INTO log VALUES (NEW.seen_at); RETURN NEW; END").may_stamp("seen_at")
    assert not trigger("BEGIN NEW.last_seen_at := now(); RETURN NEW; END").may_stamp("seen_at")
    assert trigger("moddatetime", "c", "seen_at\\000").may_stamp("seen_at")
    assert not trigger("moddatetime", "c", "changed_at\\000").may_stamp("seen_at")


def test_the_columns_that_an_order_names() -> None:
    columns = ("id", "seen", 'a"b', "Seen at")
    assert ordering_columns(("coalesce(seen, now()) DESC NULLS LAST", "id"), columns) == ("id", "seen")
    assert ordering_columns(('"a""b" DESC', '"Seen at"'), columns) == ('a"b', "Seen at")
    assert ordering_columns(('"ID"', "last_seen"), columns) == ()
