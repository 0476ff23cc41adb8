"""Coverage where the text of two predicates or a list of columns does not tell: our verdict beside PostgreSQL's own."""

from __future__ import annotations

import psycopg
import pytest

from tests.coverage_cases import COLUMNS, ROW, Case, check, insert
from vaccine.audit.finding import Priority
from vaccine.audit.lifecycle import Override
from vaccine.audit.run import AuditSettings, audit_key, run_audit
from vaccine.catalog.reader import Reader
from vaccine.catalog.reflect import reflect

CODE = ("code",)
UNIQUE = "CREATE UNIQUE INDEX i ON t (code) WHERE "
OPEN = "status = 'open'"
BOTH = "status IN ('new', 'open')"

# fmt: off
PREDICATES = [  # (the index's predicate, the live rows, guarded, the row, what the second row changes)
    ("status NOT IN ('closed', 'gone')", OPEN, True, {}, {}),
    ("NOT (status = 'closed')", OPEN, True, {}, {}),
    ("status IS DISTINCT FROM 'closed'", OPEN, True, {}, {}),
    ("status IS DISTINCT FROM 'open'", OPEN, False, {}, {}),
    ("coalesce(status, 'open') = 'open'", OPEN, True, {}, {}),
    ("coalesce(status, 'new') = 'open'", "status IS NULL", False, {"status": None}, {}),
    ("coalesce(status, 'open') = 'open'", "status IS NULL", True, {"status": None}, {}),
    ("CASE status WHEN 'open' THEN true ELSE current END", OPEN, True, {"current": False}, {}),
    ("CASE status WHEN 'open' THEN current ELSE true END", OPEN, False, {"current": False}, {}),
    ("lower(status) = 'open'", OPEN, True, {}, {}),
    ("status || kind = 'opena'", OPEN, False, {"kind": "b"}, {}),
    ("status = 'open' OR current", OPEN, True, {"current": False}, {}),
    ("status = 'open' AND current IS NOT FALSE", "status = 'open' AND current", True, {}, {}),
    ("status = 'open' AND current IS NOT FALSE", OPEN, False, {"current": False}, {}),
    ("current IS NOT FALSE", "current", True, {}, {}),
    ("current IS NOT TRUE", "NOT current", True, {"current": False}, {}),
    ("(current) = (kind = 'a')", "current", False, {"kind": "b"}, {}),
    ("status = 'open' OR status = 'new' OR kind = 'z'", BOTH, True, {}, {}),
    ("status = 'open' OR status = 'new' OR kind = 'z'", BOTH, True, {"status": "new"}, {}),
    ("lower(status) = ANY ('{open,new}')", BOTH, True, {"status": "new"}, {}),
    ("lower(status) = ANY ('{open,old}')", BOTH, False, {"status": "new"}, {}),
    ("status = 'open'", BOTH, False, {}, {"status": "new"}),
    ("status LIKE 'o%'", OPEN, True, {}, {}),
    ("status LIKE 'n%'", OPEN, False, {}, {}),
    ("amount >= 0.5", "amount BETWEEN 1 AND 2", True, {"amount": 1}, {}),
    ("amount = 1.0", "amount = 1", True, {"amount": 1}, {}),
    ("amount IN (1, 2)", "amount = 2", True, {"amount": 2}, {}),
    ("amount > 10 OR amount < 5", "amount > 0", False, {"amount": 7}, {}),
    ("gone_at > '2020-01-01+00'", "gone_at > '2021-01-01+00'", True, {"gone_at": "2022-01-01"}, {}),
    ("gone_at IS NULL AND kind IS NOT NULL", "gone_at IS NULL", True, {}, {}),
    ("coalesce(gone_at, 'infinity') = 'infinity'", "gone_at IS NULL", True, {}, {}),
    ("code <> ''", "", False, {"code": ""}, {}),
    ("status = 'opened'::varchar(4)", "status = 'opened'", False, {"status": "opened"}, {}),
    ("kind = 'a%b'", "kind = 'a%b'", True, {"kind": "a%b"}, {}),
    ("kind = E'it''s \\\\ so'", "kind = 'it''s \\ so'", True, {"kind": "it's \\ so"}, {}),
]
SHAPES = [
    Case("a plain index on the same column beside it", CODE,
         "CREATE INDEX plain ON t (code); CREATE INDEX other ON t (code, amount);" + UNIQUE + "amount > 0", True,
         "amount > 10", (("amount", 20),)),
    Case("a status in the key of the index, pinned by the live rows", CODE,
         "CREATE UNIQUE INDEX i ON t (code, status)", True, OPEN),
    Case("a status in the key of the index, of two live values", CODE,
         "CREATE UNIQUE INDEX i ON t (code, status)", False, BOTH, second=(("status", "new"),)),
    Case("a flag in the key of the index", CODE, "CREATE UNIQUE INDEX i ON t (code, current)", True, "current"),
    Case("deleted_at in the key of the index: NULLs are distinct", CODE,
         "CREATE UNIQUE INDEX i ON t (code, gone_at)", False, "gone_at IS NULL"),
    Case("deleted_at in the key of the index: NULLs are not distinct", CODE,
         "CREATE UNIQUE INDEX i ON t (code, gone_at) NULLS NOT DISTINCT", True, "gone_at IS NULL", needs=150000),
    Case("a generated column made of the key", CODE,
         "ALTER TABLE t ADD folded text GENERATED ALWAYS AS (lower(code)) STORED; CREATE UNIQUE INDEX i ON t (folded)",
         True),
    Case("a generated column made of more", CODE,
         "ALTER TABLE t ADD whole text GENERATED ALWAYS AS (code || must) STORED; CREATE UNIQUE INDEX i ON t (whole)",
         False),
    Case("an expression that tells equal numbers apart", ("amount",), "CREATE UNIQUE INDEX i ON t ((amount::text))",
         False, row=(("amount", "1.0"),), second=(("amount", "1.00"),)),
    Case("an expression over a number that is also indexed", ("amount", "code"),
         "CREATE UNIQUE INDEX i ON t (code, (amount::text))", False, row=(("amount", "1.0"),),
         second=(("amount", "1.00"),)),
    Case("md5 of the key", CODE, "CREATE UNIQUE INDEX i ON t (md5(code))", True),
    Case("left() of the key", CODE, "CREATE UNIQUE INDEX i ON t (left(code, 3))", True),
    Case("two halves do not make a whole", CODE, UNIQUE + "status = 'open';" + UNIQUE.replace(" i ", " j ")
         + "status = 'new'", False, BOTH, second=(("status", "new"),)),
    Case("exclusion of the key and a range", ("code", "during"),
         "ALTER TABLE t ADD EXCLUDE USING gist (code WITH =, during WITH &&)", True),
    Case("exclusion of the key and a range, for the key alone", CODE,
         "ALTER TABLE t ADD EXCLUDE USING gist (code WITH =, during WITH &&)", False, second=(("during", "[7,9)"),)),
    Case("exclusion with <>", ("code", "tenant"), "ALTER TABLE t ADD EXCLUDE USING gist (code WITH =, tenant WITH <>)",
         False),
    Case("exclusion of an expression", CODE, "ALTER TABLE t ADD EXCLUDE USING btree (lower(code) WITH =)", True),
    Case("WITHOUT OVERLAPS", ("code", "during"), "ALTER TABLE t ADD UNIQUE (code, during WITHOUT OVERLAPS)", True,
         needs=180000),
    Case("WITHOUT OVERLAPS, for the key alone", CODE, "ALTER TABLE t ADD UNIQUE (code, during WITHOUT OVERLAPS)", False,
         needs=180000, second=(("during", "[7,9)"),)),
    Case("NULLS NOT DISTINCT and a NULL in the key", ("tenant", "code"),
         "CREATE UNIQUE INDEX i ON t (tenant, code) NULLS NOT DISTINCT", True, row=(("tenant", None),), needs=150000),
    Case("a primary key of two columns, for one of them", CODE,
         "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (code, must)", False),
    Case("a sort order and an operator class", CODE,
         "CREATE UNIQUE INDEX i ON t (code text_pattern_ops DESC NULLS FIRST) INCLUDE (amount)", True),
]
# fmt: on


@pytest.mark.every_version
def test_predicates_of_which_one_follows_from_the_other(connection: psycopg.Connection) -> None:
    for predicate, live, guarded, row, second in PREDICATES:
        name = f"{predicate} for {live or 'all rows'}"
        case = Case(name, CODE, UNIQUE + predicate, guarded, live, tuple(row.items()), second=tuple(second.items()))
        check(connection, case)


@pytest.mark.system
def test_shapes_of_indexes(connection: psycopg.Connection) -> None:
    try:
        connection.execute("CREATE EXTENSION btree_gist")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server has no contrib modules")
    for case in SHAPES:
        check(connection, case)


@pytest.mark.system
def test_a_collation_that_folds_case_needs_an_index_that_does(connection: psycopg.Connection) -> None:
    try:
        connection.execute("CREATE COLLATION folds (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server has no ICU")
    for collation, guarded in (("folds", True), ('"C"', False)):
        connection.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t ({COLUMNS})")
        connection.execute("ALTER TABLE t ALTER code TYPE text COLLATE folds")
        connection.execute(f"CREATE UNIQUE INDEX i ON t (code COLLATE {collation})")
        finding = audit_key(connection, AuditSettings(), ("public", "t"), CODE, "")
        assert (finding.priority is Priority.GUARDED) == guarded
        insert(connection, {**ROW, "code": "x"})
        if guarded:
            with pytest.raises(psycopg.errors.UniqueViolation):
                insert(connection, {**ROW, "code": "X"})
        else:
            insert(connection, {**ROW, "code": "X"})
            assert audit_key(connection, AuditSettings(), ("public", "t"), CODE, "").live_duplicate_groups == 1


def test_the_planner_is_asked_without_reading_rows_too(connection: psycopg.Connection) -> None:
    connection.execute(f"CREATE TABLE t ({COLUMNS}); CREATE UNIQUE INDEX i ON t (code) WHERE lower(status) <> 'closed'")
    connection.execute("CREATE TABLE u (id int PRIMARY KEY, code text); CREATE UNIQUE INDEX j ON u (code)")
    key = ("public", "t", CODE)
    settings = AuditSettings(data=False, overrides={key: Override(predicate="status = 'open'")})
    [finding] = [each for each in run_audit(connection, settings).findings if each.table == "t"]
    assert finding.guarded_by == ("i",)


def test_an_index_for_some_rows_only_is_said(connection: psycopg.Connection) -> None:
    connection.execute(f"CREATE TABLE t ({COLUMNS}); CREATE UNIQUE INDEX i ON t (code) WHERE kind = 'b'")
    finding = audit_key(connection, AuditSettings(), ("public", "t"), CODE, "")
    assert finding.priority is not Priority.GUARDED
    assert dict(finding.details)["guards_some_rows_only"] == ["i"]


def test_reflection_knows_a_finer_collation_only_where_there_is_one(connection: psycopg.Connection) -> None:
    connection.execute('CREATE TABLE t (code text); CREATE UNIQUE INDEX i ON t (code COLLATE "C")')
    [table] = reflect(Reader(connection)).tables
    assert [index.finer_collation for index in table.indexes] == [False]
