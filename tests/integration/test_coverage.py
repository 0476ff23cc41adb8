"""Is a key guarded? Our verdict beside PostgreSQL's own: insert the same key twice and see."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from tests.coverage_cases import COLUMNS, ROW, Case, check, insert
from vaccine.audit.finding import Priority
from vaccine.audit.run import AuditSettings, audit_key

CODE = ("code",)
TENANT = ("tenant", "code")
CASES = [
    Case("nothing", CODE, "", False),
    Case("plain index", CODE, "CREATE INDEX i ON t (code)", False),
    Case("unique index", CODE, "CREATE UNIQUE INDEX i ON t (code)", True),
    Case("unique constraint", CODE, "ALTER TABLE t ADD CONSTRAINT i UNIQUE (code)", True),
    Case("deferrable constraint", CODE, "ALTER TABLE t ADD CONSTRAINT i UNIQUE (code) DEFERRABLE", True),
    Case(
        "initially deferred", CODE, "ALTER TABLE t ADD CONSTRAINT i UNIQUE (code) DEFERRABLE INITIALLY DEFERRED", True
    ),
    Case("include", CODE, "CREATE UNIQUE INDEX i ON t (code) INCLUDE (kind)", True),
    Case("descending", CODE, "CREATE UNIQUE INDEX i ON t (code DESC NULLS LAST)", True),
    Case("other collation", CODE, 'CREATE UNIQUE INDEX i ON t (code COLLATE "C")', True),
    Case("pattern operators", CODE, "CREATE UNIQUE INDEX i ON t (code text_pattern_ops)", True),
    Case("another column", CODE, "CREATE UNIQUE INDEX i ON t (email)", False, row=(("email", None),)),
    Case("a wider index", CODE, "CREATE UNIQUE INDEX i ON t (tenant, code)", False, row=(("tenant", None),)),
    Case("a subset of the key", TENANT, "CREATE UNIQUE INDEX i ON t (code)", True),
    Case("the key in another order", TENANT, "CREATE UNIQUE INDEX i ON t (code, tenant)", True),
    Case("the key and one more", TENANT, "CREATE UNIQUE INDEX i ON t (tenant, code, gone_at)", False),
    Case("composite constraint", TENANT, "ALTER TABLE t ADD UNIQUE (tenant, code)", True),
    Case("lower()", ("email",), "CREATE UNIQUE INDEX i ON t (lower(email))", True),
    Case("lower() of another column", CODE, "CREATE UNIQUE INDEX i ON t (lower(email))", False, row=(("email", None),)),
    Case("expression over part of the key", TENANT, "CREATE UNIQUE INDEX i ON t (tenant, lower(code))", True),
    Case("expression over more", CODE, "CREATE UNIQUE INDEX i ON t ((code || must))", False),
    Case("coalesce", TENANT, "CREATE UNIQUE INDEX i ON t (coalesce(tenant, 0), code)", True),
    Case(
        "partial: same text", CODE, "CREATE UNIQUE INDEX i ON t (code) WHERE status = 'open'", True, "status = 'open'"
    ),
    Case("partial: an own NOT NULL", CODE, "CREATE UNIQUE INDEX i ON t (code) WHERE code IS NOT NULL", True),
    Case(
        "partial: redundant NOT NULL",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE status = 'open' AND code IS NOT NULL AND status IS NOT NULL",
        True,
        "status = 'open'",
    ),
    Case(
        "partial: IN covers =",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE status IN ('open', 'new')",
        True,
        "status = 'open'",
    ),
    Case(
        "partial: = ANY as IN",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE status = ANY ('{open,new}')",
        True,
        "status IN ('new', 'open')",
    ),
    Case(
        "partial: = is less than IN",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE status = 'new'",
        False,
        "status IN ('new', 'open')",
    ),
    Case(
        "partial: OR as IN",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE status = 'new' OR status = 'open'",
        True,
        "status IN ('open', 'new')",
    ),
    Case(
        "partial: another value",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE status = 'new'",
        False,
        "status = 'open'",
    ),
    Case(
        "partial: AND in another order",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE current AND status = 'open'",
        True,
        "status = 'open' AND current",
    ),
    Case(
        "partial: one condition more",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE current AND status = 'open'",
        False,
        "status = 'open'",
        row=(("current", False),),
    ),
    Case(
        "partial: one condition less",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE current",
        True,
        "status = 'open' AND current",
    ),
    Case(
        "partial: = true as the column", CODE, "CREATE UNIQUE INDEX i ON t (code) WHERE current = true", True, "current"
    ),
    Case(
        "partial: IS TRUE as the column",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE current IS TRUE",
        True,
        "current",
    ),
    Case("partial: not the opposite", CODE, "CREATE UNIQUE INDEX i ON t (code) WHERE NOT current", False, "current"),
    Case("partial: IS NULL", CODE, "CREATE UNIQUE INDEX i ON t (code) WHERE gone_at IS NULL", True, "gone_at IS NULL"),
    Case(
        "partial: only some rows",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE gone_at IS NULL",
        False,
        row=(("gone_at", "2026-01-01"),),
    ),
    Case(
        "partial: <> leaves the value in",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE status <> 'closed'",
        True,
        "status = 'open'",
    ),
    Case(
        "partial: <> leaves the value out",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE status <> 'open'",
        False,
        "status = 'open'",
    ),
    Case(
        "partial: a range that holds",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE amount > 0",
        True,
        "amount > 10",
        row=(("amount", 20),),
    ),
    Case(
        "partial: a range that does not",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE amount > 10",
        False,
        "amount > 0",
        row=(("amount", 5),),
    ),
    Case(
        "partial: varchar cast",
        CODE,
        "CREATE UNIQUE INDEX i ON t (code) WHERE (status)::text = 'open'::text",
        True,
        "status = 'open'",
    ),
    Case("partial: NOT NULL column", CODE, "CREATE UNIQUE INDEX i ON t (code) WHERE kind IS NOT NULL", True),
    Case("exclusion with =", CODE, "ALTER TABLE t ADD EXCLUDE USING btree (code WITH =)", True),
    Case("exclusion with &&", ("during",), "ALTER TABLE t ADD EXCLUDE USING gist (during WITH &&)", True),
    Case(
        "exclusion of more",
        ("amount",),
        "ALTER TABLE t ADD EXCLUDE USING gist (during WITH &&)",
        False,
        row=(("during", None), ("amount", 1)),
    ),
    Case(
        "exclusion with <>",
        ("amount",),
        "ALTER TABLE t ADD EXCLUDE USING btree (amount WITH =) WHERE (amount < 0)",
        False,
        row=(("amount", 1),),
    ),
    Case(
        "partial exclusion",
        CODE,
        "ALTER TABLE t ADD EXCLUDE USING btree (code WITH =) WHERE (current)",
        True,
        "current",
    ),
    Case(
        "NULLS NOT DISTINCT", TENANT, "CREATE UNIQUE INDEX i ON t (tenant, code) NULLS NOT DISTINCT", True, needs=150000
    ),
    Case("hash exclusion", CODE, "ALTER TABLE t ADD EXCLUDE USING hash (code WITH =)", True),
]


@pytest.mark.every_version
def test_our_verdict_is_postgresqls(connection: psycopg.Connection) -> None:
    assert len(CASES) >= 40
    for case in CASES:
        check(connection, case)


def test_a_null_in_a_composite_key_is_a_hole_that_is_said(connection: psycopg.Connection) -> None:
    connection.execute(f"CREATE TABLE t ({COLUMNS}); CREATE UNIQUE INDEX i ON t (tenant, code)")
    insert(connection, {"tenant": None, "code": "x"})
    insert(connection, {"tenant": None, "code": "x"})
    finding = audit_key(connection, AuditSettings(), ("public", "t"), TENANT)
    assert finding.priority is Priority.GUARDED
    assert "rows with NULL in tenant, code are not compared (NULLS DISTINCT)" in finding.reasons
    assert dict(finding.details)["groups_with_null"] == 1


def test_an_invalid_index_is_no_guard_and_says_which_of_its_two_states(connection: psycopg.Connection) -> None:
    connection.execute(f"CREATE TABLE t ({COLUMNS})")
    insert(connection, ROW)
    insert(connection, ROW)
    with pytest.raises(errors.UniqueViolation):
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY left_over ON t (code)")
    finding = audit_key(connection, AuditSettings(), ("public", "t"), CODE, "")
    assert finding.priority is Priority.HIGH
    assert finding.guarded_by == ()
    assert "index left_over is INVALID and not ready: it enforces nothing" in finding.reasons
    connection.execute("UPDATE pg_index SET indisready = true WHERE indexrelid = 'left_over'::regclass")
    finding = audit_key(connection, AuditSettings(), ("public", "t"), CODE, "")
    assert any("INVALID but ready: it rejects new duplicates" in reason for reason in finding.reasons)


def test_a_partitioned_tables_own_index_guards_and_a_leafs_does_not(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE p (code text NOT NULL, day date NOT NULL) PARTITION BY RANGE (day)")
    connection.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')")
    connection.execute("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')")
    connection.execute("CREATE UNIQUE INDEX ON p1 (code); CREATE UNIQUE INDEX ON p2 (code)")
    connection.execute("INSERT INTO p VALUES ('x', '2026-01-05'), ('x', '2026-02-05')")
    finding = audit_key(connection, AuditSettings(), ("public", "p"), CODE, "")
    assert finding.priority is Priority.HIGH
    assert finding.live_excess_rows == 1
    connection.execute("CREATE UNIQUE INDEX whole ON p (code, day)")
    assert audit_key(connection, AuditSettings(), ("public", "p"), ("code", "day"), "").guarded_by == ("whole",)
