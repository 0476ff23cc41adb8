"""The judgement of ON CONFLICT against what PostgreSQL itself says (42P10 or the arbiter's name)."""

from __future__ import annotations

import psycopg
import pytest

from vaccine.writers import KeySpec
from vaccine.writers.implies import implies
from vaccine.writers.scanner import scan

CLAUSES = [
    None,
    "status = 'open'",
    "code IS NOT NULL",
    "status = 'open' AND code IS NOT NULL",
    "code IS NOT NULL AND (status = 'open')",
    "status = 'open' AND code = 'a'",
    "status = 'open' AND code > 'a'",
    "status IN ('open') AND code IS NOT NULL",
    "status IN ('open', 'new') AND code IS NOT NULL",
    "status = 'new' AND code IS NOT NULL",
    "live AND code IS NOT NULL",
    "live = true",
    "NOT live",
    "live IS TRUE",
    "status = 'open' AND code IS NOT NULL AND live",
    "status = 'open' OR live",
    "gone_at IS NULL",
    "gone_at IS NULL AND status = 'open'",
    "status::text = 'open'::text AND code IS NOT NULL",
]
INDEXES = [
    None,
    "status = 'open' AND code IS NOT NULL",
    "status IN ('open', 'new')",
    "live",
    "live = true AND code IS NOT NULL",
    "NOT live",
    "gone_at IS NULL",
    "status = 'open' OR status = 'new'",
    "code IS NOT NULL",
]


@pytest.mark.every_version
def test_what_is_called_served_is_served(connection: psycopg.Connection) -> None:
    """Never wrong to the dangerous side; and at least nine of ten that PostgreSQL takes are recognised."""
    taken = recognised = 0
    for index in INDEXES:
        connection.execute("DROP TABLE IF EXISTS t")
        connection.execute("CREATE TABLE t (code text, status text, live boolean, gone_at timestamptz)")
        connection.execute("CREATE UNIQUE INDEX uq ON t (code)" + (f" WHERE {index}" if index else ""))
        for clause in CLAUSES:
            where = f" WHERE {clause}" if clause else ""
            try:
                connection.execute(f"EXPLAIN INSERT INTO t (code) VALUES ('a') ON CONFLICT (code){where} DO NOTHING")
                real = True
            except psycopg.errors.InvalidColumnReference:
                real = False
            ours = implies(clause, index)
            assert real or not ours, (clause, index)
            taken += real
            recognised += ours
    assert taken > 40
    assert recognised / taken >= 0.9, f"{recognised} of {taken}"


def test_a_bound_parameter_fails_with_the_generic_plan(connection: psycopg.Connection, tmp_path) -> None:
    connection.execute("CREATE TABLE t (code text, status text)")
    connection.execute("CREATE UNIQUE INDEX uq ON t (code) WHERE status = 'open'")
    upsert = "INSERT INTO t (code, status) VALUES (%s, 'open') ON CONFLICT (code) WHERE status = %s DO NOTHING"
    (tmp_path / "a.py").write_text(f"cur.execute({upsert!r}, row)")
    key = KeySpec("public", "t", ("code",), "status = 'open'", "uq")
    (writer,) = scan([tmp_path], keys=[key]).writers
    assert writer.verdict == "upsert-unserved"
    assert "binds a parameter" in writer.reasons[0]
    connection.prepare_threshold = 0

    def write_often() -> None:
        for number in range(20):
            connection.execute(upsert, (str(number), "open"))

    with pytest.raises(psycopg.errors.InvalidColumnReference):
        write_often()
