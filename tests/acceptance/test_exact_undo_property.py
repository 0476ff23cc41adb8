"""Exact undo as a property: whatever the table, after up and down each row that nobody edited is its old self.

Tables are drawn over the built-in scalar types, arrays, ranges, a composite, domains, an enum, generated and
identity columns, columns dropped and added, and triggers; rows, duplicates and edits between are drawn too.
VACCINE_EXAMPLES=2000 runs more examples than the suite does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, pool

import vaccine.operations  # noqa: F401  registers the operations
from vaccine.demo.server import Server

EXAMPLES = int(os.environ.get("VACCINE_EXAMPLES", "40"))

# Values that a copy through text, JSON or numeric equality loses or changes.
VALUES = {
    "boolean": ["true", "false"],
    "smallint": ["0", "-32768"],
    "integer": ["0", "2147483647"],
    "bigint": ["-9223372036854775808", "1"],
    "numeric": ["1.0", "1.00", "'NaN'", "0.00000000000000000001", "1e130"],
    "numeric(12,3)": ["1.1", "-0.001"],
    "real": ["'-0'", "'NaN'", "'Infinity'", "0.1", "1e-40"],
    "double precision": ["'-0'", "0", "'NaN'", "0.1", "1e-310", "0.30000000000000004"],
    "money": ["'12.34'"],
    "text": ["''", "' x '", "'é\u4e2d'", "repeat('long', 3000)", "E'a\\nb\\tc'"],
    "varchar(20)": ["'%s {}'", "''"],
    "char(5)": ["'a'", "'a    '"],
    '"char"': ["'x'"],
    "name": ["'n'"],
    "bytea": ["''", "'\\x00ff'"],
    "date": ["'2024-02-03'", "'infinity'", "'0001-01-01 BC'"],
    "time": ["'24:00:00'", "'00:00:00.000001'"],
    "timetz": ["'12:00+05:30'"],
    "timestamp": ["'2024-02-29 23:59:59.999999'", "'-infinity'"],
    "timestamptz": ["'2024-03-31 02:30:00 Europe/Berlin'", "'infinity'"],
    "interval": ["'1 mon -1 day 00:00:01'", "'24:00'", "'1 day'"],
    "uuid": ["'00000000-0000-0000-0000-000000000001'"],
    "json": ['\'{"b":  1, "a": 1, "a": 2}\'', "'null'", "' [1.0, 1.00] '"],
    "jsonb": ["'{\"b\": 1.00}'", "'null'"],
    "inet": ["'10.0.0.1/8'"],
    "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "macaddr8": ["'08:00:2b:01:02:03:04:05'"],
    "bit(3)": ["B'101'"],
    "varbit": ["B''", "B'0101'"],
    "point": ["'(-0,1e-300)'"],
    "line": ["'{1,-1,0}'"],
    "lseg": ["'[(0,0),(1,1)]'"],
    "box": ["'(1,1),(0,0)'"],
    "path": ["'[(0,0),(1,1)]'"],
    "polygon": ["'((0,0),(1,1),(1,0))'"],
    "circle": ["'<(0,0),-0>'"],
    "tsvector": ["'a:1B b'"],
    "tsquery": ["'a & !b'"],
    "pg_lsn": ["'0/16B3748'"],
    "oid": ["4294967295"],
    "regclass": ["'pg_class'"],
    "txid_snapshot": ["'10:20:10,14'"],
    "int2vector": ["'1 2'"],
    "int4range": ["'[1,5)'", "'empty'", "'(,)'"],
    "numrange": ["'[1.0,1.00]'"],
    "tstzrange": ["'[2024-01-01,infinity)'"],
    "daterange": ["'[2024-01-01,2024-01-31]'"],
    "integer[]": ["'{}'", "'[0:1]={1,NULL}'", "'{{1,2},{3,4}}'"],
    "text[]": ["ARRAY['NULL', NULL, '\"', ',']"],
    "double precision[]": ["ARRAY['-0', 'NaN']::double precision[]"],
    "json[]": ["ARRAY['{\"a\":  1}']::json[]"],
    "mood": ["'sad'", "'it''s ok'"],
    "mood[]": ["'{sad}'"],
    "pair": ["ROW('-0', '{\"a\": 1,  \"a\": 2}')::pair", "ROW(NULL, NULL)::pair"],
    "pair[]": ["ARRAY[ROW(1.0, 'null')::pair]"],
    "positive": ["1"],
    "label": ["'-'", "'x'"],
}
SETUP = """
CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
CREATE TYPE pair AS (a double precision, b json);
CREATE DOMAIN positive AS integer;
CREATE DOMAIN label AS varchar(9) NOT NULL DEFAULT '-';
CREATE TABLE audit_log (at timestamptz DEFAULT now(), id integer, status text);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END';
CREATE FUNCTION log_it() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO audit_log (id, status) VALUES (NEW.id, NEW.status); RETURN NULL; END';
CREATE FUNCTION touch_again() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN UPDATE subject SET touched = touched + 1 WHERE id = NEW.id; RETURN NULL; END';
"""
TRIGGERS = {
    "stamp": "CREATE TRIGGER stamp BEFORE UPDATE ON subject FOR EACH ROW EXECUTE FUNCTION stamp()",
    "audit": "CREATE TRIGGER audit AFTER UPDATE ON subject FOR EACH ROW EXECUTE FUNCTION log_it()",
    "deferred": "CREATE CONSTRAINT TRIGGER deferred AFTER UPDATE ON subject DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW WHEN (OLD.touched = NEW.touched) EXECUTE FUNCTION touch_again()",
}
KEY = {"schema": "public", "table": "subject", "columns": ["code"], "where": "status = 'open'"}
POLICY = {"assign": {"status": "resolved"}, "keep": [], "max_rows": 1000, "plan": "p", "survivor": ["rank DESC"]}


@dataclass(frozen=True)
class Drawn:
    """One example: columns, then rows as indexes into their values (0 is NULL), and what happens to them."""

    types: list[str]
    dropped: set[int]
    composite_key: bool
    identity: str
    generated: bool
    triggers: set[str]
    assign_now: bool
    rows: list[tuple[int, bool, list[int]]]
    edits: dict[int, str]
    added: bool


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    types = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=6))
    row = st.tuples(
        st.sampled_from([1, 2, 1, 0]),
        st.sampled_from([True, True, True, False]),
        st.lists(st.integers(0, 5), min_size=len(types), max_size=len(types)),
    )
    rows = draw(st.lists(row, min_size=2, max_size=14))
    edit = st.sampled_from(["value", "status", "delete", "key"])
    return Drawn(
        types,
        draw(st.sets(st.integers(0, len(types) - 1), max_size=len(types) - 1)) if len(types) > 1 else set(),
        draw(st.booleans()),
        draw(st.sampled_from(["", "ALWAYS", "BY DEFAULT"])),
        draw(st.booleans()),
        draw(st.sets(st.sampled_from(sorted(TRIGGERS)))),
        draw(st.booleans()),
        rows,
        draw(st.dictionaries(st.integers(1, len(rows)), edit, max_size=4)),
        draw(st.booleans()),
    )


@pytest.fixture(scope="module")
def playground(server: Server) -> Iterator[tuple[psycopg.Connection, Operations]]:
    """A database of its own with the types, and Alembic's operations on it, as a revision has them."""
    name = f"exact_undo_{os.getpid()}"
    with psycopg.connect(server.url, autocommit=True) as maintenance:
        maintenance.execute(f"CREATE DATABASE {name}")
    url = server.url_of(name)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=pool.NullPool)
    with (
        psycopg.connect(url, autocommit=True, options="-c lock_timeout=5s") as connection,
        engine.connect() as alembics,
    ):
        connection.execute(SETUP)
        yield connection, Operations(MigrationContext.configure(alembics, opts={"transaction_per_migration": True}))
    engine.dispose()
    with psycopg.connect(server.url, autocommit=True) as maintenance:
        maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_unedited_rows_are_their_old_selves(playground: tuple[psycopg.Connection, Operations]) -> None:
    connection, operations = playground

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True
    )
    @given(example=drawn())
    def there_and_back(example: Drawn) -> None:
        _make(connection, example)
        policy = {
            **POLICY,
            "assign": {**POLICY["assign"], **({"closed": {"sql": "now()"}} if example.assign_now else {})},
        }
        excess = _excess(connection)
        operations.resolve_duplicates(**KEY, **policy)
        assert _excess(connection) == 0
        touched = _edit(connection, example)
        operations.restore_duplicates(**KEY, plan="p")
        _compare(connection, touched)
        _journal_agrees(connection, excess)

    there_and_back()


def _make(connection: psycopg.Connection, example: Drawn) -> None:
    connection.execute(
        "DROP TABLE IF EXISTS subject, old_self; DROP SCHEMA IF EXISTS vaccine CASCADE; TRUNCATE audit_log"
    )
    connection.execute("ALTER DOMAIN positive DROP CONSTRAINT IF EXISTS big")
    extras = [f"x{place} {kind}" for place, kind in enumerate(example.types)]
    if example.identity:
        extras.append(f"serial_no bigint GENERATED {example.identity} AS IDENTITY")
    if example.generated:
        extras.append("twice integer GENERATED ALWAYS AS (rank * 2) STORED")
        extras.append("state text GENERATED ALWAYS AS (status || code) STORED")
    key = "PRIMARY KEY (part, id)" if example.composite_key else "PRIMARY KEY (id)"
    connection.execute(
        "CREATE TABLE subject (id integer, part text NOT NULL DEFAULT 'p', code text, status text, rank integer,"
        f" updated_at timestamptz, touched integer DEFAULT 0, closed timestamptz, {', '.join(extras)}, {key})"
    )
    for number, (code, live, values) in enumerate(example.rows, 1):
        texts = [_value(kind, choice) for kind, choice in zip(example.types, values, strict=True)]
        names = [f"x{place}" for place, _ in enumerate(texts)]
        own = [str(number), f"'c{code}'" if code else "NULL", "'open'" if live else "'done'", str(number % 3)]
        connection.execute(
            f"INSERT INTO subject (id, code, status, rank, {', '.join(names)}) VALUES ({', '.join(own + texts)})"
        )
    for place in sorted(example.dropped):
        connection.execute(f"ALTER TABLE subject DROP COLUMN x{place}")
    if "positive" in example.types:  # a check that old values need not satisfy
        connection.execute("ALTER DOMAIN positive ADD CONSTRAINT big CHECK (VALUE > 100) NOT VALID")
    for name in example.triggers:
        connection.execute(TRIGGERS[name])
    connection.execute("CREATE TABLE old_self AS TABLE subject")


def _value(kind: str, choice: int) -> str:
    values = VALUES[kind] if kind == "label" else [*VALUES[kind], "NULL"]
    return values[choice % len(values)]


def _edit(connection: psycopg.Connection, example: Drawn) -> set[int]:
    if example.added:
        connection.execute("ALTER TABLE subject ADD COLUMN later integer DEFAULT 42")
    statements = {
        "value": "UPDATE subject SET rank = rank + 100 WHERE id = %s",
        "status": "UPDATE subject SET status = 'other' WHERE id = %s",
        "delete": "DELETE FROM subject WHERE id = %s",
        "key": "UPDATE subject SET code = 'moved' WHERE id = %s",
    }
    for number, edit in example.edits.items():
        connection.execute(statements[edit], (number,))
    connection.execute("INSERT INTO subject (id, code, status, rank) VALUES (1000, 'c1', 'done', 0)")
    return set(example.edits)


def _compare(connection: psycopg.Connection, touched: set[int]) -> None:
    columns = [
        row[0]
        for row in connection.execute(
            "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'old_self'::regclass AND attnum > 0"
        )
    ]
    now, then = (", ".join(f"{alias}.{column}" for column in columns) for alias in "no")
    different = connection.execute(
        f"SELECT o.id FROM old_self o LEFT JOIN subject n USING (id) WHERE NOT id = ANY (%s)"
        f" AND (n.id IS NULL OR NOT record_image_eq(ROW({now}), ROW({then})))",
        (list(touched),),
    ).fetchall()
    assert different == []


def _excess(connection: psycopg.Connection) -> int:
    row = connection.execute(
        "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM subject"
        " WHERE status = 'open' AND code IS NOT NULL GROUP BY code) AS g"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _journal_agrees(connection: psycopg.Connection, excess: int) -> None:
    """Each resolved row is in the journal once, and is either restored or listed as kept."""
    if excess == 0:
        return
    row = connection.execute(
        "SELECT sum(row_count), sum(restored_count + cardinality(kept_rows)), bool_and(outcome = 'restored'),"
        " count(*) FILTER (WHERE stamped_columns <> '{}') FROM vaccine.journal"
    ).fetchone()
    assert row == (excess, excess, True, 0)
