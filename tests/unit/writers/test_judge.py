"""Verdicts, the implication of predicates, keys and names: pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vaccine.writers.implies import implies
from vaccine.writers.judge import fits_table, judge, with_bypasses
from vaccine.writers.model import Conflict, KeySpec, Kind, LookUp, SourceWriter, TableName, Verdict, snake

PREDICATE = "status = 'open' AND violation_hash IS NOT NULL"
KEY = KeySpec("public", "system_issues", ("violation_hash",), PREDICATE, "uq_open")
WHOLE = replace(KEY, predicate=None)
WRITER = SourceWriter(
    "a.py",
    3,
    "python",
    "SQL",
    "sql-insert",
    Kind.INSERT,
    TableName("system_issues"),
    0.95,
    ("violation_hash", "status"),
)

IMPLICATIONS = [
    (PREDICATE, PREDICATE, True),
    ("violation_hash IS NOT NULL AND status = 'open'", PREDICATE, True),
    ("((status)::text = 'open'::text) AND (violation_hash IS NOT NULL)", PREDICATE, True),
    ("status = 'open' AND violation_hash IS NOT NULL AND source = 'x'", PREDICATE, True),
    ("status = 'open'", PREDICATE, False),
    ("violation_hash IS NOT NULL", PREDICATE, False),
    ("status = 'closed' AND violation_hash IS NOT NULL", PREDICATE, False),
    (None, PREDICATE, False),
    (None, None, True),
    ("status = 'open'", None, True),
    ("code = 'a'", "code IS NOT NULL", True),
    ("code > 5", "code IS NOT NULL", True),
    ("status = 'open'", "status IN ('open', 'new')", True),
    ("status IN ('open')", "status = ANY (ARRAY['open', 'new'])", True),
    ("status IN ('open', 'old')", "status IN ('open', 'new')", False),
    ("is_current", "is_current = true", True),
    ("is_current = true", "is_current", True),
    ("NOT deleted", "NOT deleted", True),
    ("deleted_at IS NULL", "deleted_at IS NULL", True),
    ("deleted_at IS NOT NULL", "deleted_at IS NULL", False),
    ("t.status = 'open'", "status = 'open'", True),
    ("\"Status\" = 'open'", "status = 'open'", False),
    ("status = 'it''s'", "status = 'it''s'", True),
    ("status = 'open' OR true", "status = 'open'", False),
    ("status = = 'open'", "status = 'open'", False),
]


@pytest.mark.parametrize(("clause", "index", "answer"), IMPLICATIONS)
def test_implies(clause: str | None, index: str | None, answer: bool) -> None:
    assert implies(clause, index) is answer


def _upsert(**fields: object) -> SourceWriter:
    return replace(WRITER, kind=Kind.UPSERT, conflict=Conflict(**fields))  # type: ignore[arg-type]


LOOK_UP = LookUp(1, ("violation_hash",), ("status",))
VERDICTS = [
    ("the whole predicate", _upsert(columns=("violation_hash",), predicate=PREDICATE), KEY, Verdict.UPSERT_SERVED),
    ("no predicate, partial index", _upsert(columns=("violation_hash",)), KEY, Verdict.UPSERT_UNSERVED),
    (
        "half a predicate",
        _upsert(columns=("violation_hash",), predicate="status = 'open'"),
        KEY,
        Verdict.UPSERT_UNSERVED,
    ),
    ("no predicate, whole index", _upsert(columns=("violation_hash",)), WHOLE, Verdict.UPSERT_SERVED),
    (
        "bound parameter",
        _upsert(columns=("violation_hash",), predicate=PREDICATE, bound=True),
        KEY,
        Verdict.UPSERT_UNSERVED,
    ),
    ("no target", _upsert(), KEY, Verdict.UPSERT_SERVED),
    ("no index at all", _upsert(columns=("violation_hash",)), replace(WHOLE, index=None), Verdict.UPSERT_UNSERVED),
    ("a partial index as constraint", _upsert(constraint="uq_open"), KEY, Verdict.UPSERT_UNSERVED),
    ("another constraint", _upsert(constraint="pk"), KEY, Verdict.UNKNOWN),
    ("an unreadable target", _upsert(opaque=True), KEY, Verdict.UNKNOWN),
    ("another target", replace(_upsert(columns=("id",)), look_up=LOOK_UP), KEY, Verdict.FIND_THEN_INSERT),
    ("look-up", replace(WRITER, look_up=LOOK_UP), KEY, Verdict.FIND_THEN_INSERT),
    ("look-up and handler", replace(WRITER, look_up=LOOK_UP, catches="23505"), KEY, Verdict.HANDLES),
    ("another look-up", replace(WRITER, look_up=LookUp(1, ("title",))), KEY, Verdict.PLAIN_INSERT),
    ("plain", WRITER, KEY, Verdict.PLAIN_INSERT),
    ("camelCase", replace(WRITER, columns=("violationHash",)), KEY, Verdict.PLAIN_INSERT),
    ("the key is not written", replace(WRITER, columns=("title",)), KEY, Verdict.KEY_NOT_WRITTEN),
    ("unknown columns", replace(WRITER, columns=("title", "*")), KEY, Verdict.UNKNOWN),
    ("copy", replace(WRITER, kind=Kind.COPY), KEY, Verdict.PLAIN_INSERT),
    ("the library handles it", replace(WRITER, kind=Kind.FIND_OR_CREATE, handles="it does"), KEY, Verdict.HANDLES),
    ("no key given", WRITER, None, Verdict.UNKNOWN),
    ("no key given, look-up", replace(WRITER, look_up=LOOK_UP), None, Verdict.FIND_THEN_INSERT),
]


@pytest.mark.parametrize(
    ("writer", "key", "verdict"), [case[1:] for case in VERDICTS], ids=[case[0] for case in VERDICTS]
)
def test_judge(writer: SourceWriter, key: KeySpec | None, verdict: Verdict) -> None:
    found, reasons = judge(writer, key)
    assert found is verdict
    assert reasons
    assert all(reasons)


def test_the_one_that_writes_around_the_safe_function() -> None:
    safe = replace(_upsert(), scope="sync_atomic", key=KEY, verdict=Verdict.UPSERT_SERVED)
    other = replace(WRITER, scope="reconcile", key=KEY, verdict=Verdict.PLAIN_INSERT, file="b.py")
    assert [one.verdict for one in with_bypasses([safe, other], frozenset({"sync_atomic"}))] == [
        Verdict.UPSERT_SERVED,
        Verdict.BYPASSES,
    ]
    # nobody calls the safe function: it is not the one that others use
    assert with_bypasses([safe, other], frozenset())[1].verdict is Verdict.PLAIN_INSERT


@pytest.mark.parametrize(
    ("table", "fits"),
    [
        (TableName("system_issues"), True),
        (TableName("SYSTEM_ISSUES"), True),
        (TableName("system_issues", "archive"), False),
        (TableName("issues", exact=False, aliases=("issues", "issue")), True),  # Django: system_issues
        (TableName("issues"), False),
        (TableName("SystemIssues", exact=False, aliases=("system_issues",)), True),
    ],
)
def test_fits_table(table: TableName, fits: bool) -> None:
    assert fits_table(table, KEY) is fits


def test_snake() -> None:
    assert [snake(name) for name in ("violationHash", "SystemIssue", "code", "HTMLPage2")] == [
        "violation_hash",
        "system_issue",
        "code",
        "htmlpage2",
    ]
