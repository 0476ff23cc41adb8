"""The exact SQL of the run time, without a server, for a key as most are and for one whose every name needs its quotes.

The texts lie in `composed/`, one file a statement. After a change that is meant, write them anew and read the diff:

    VACCINE_WRITE_EXPECTED=1 .venv/bin/python -m pytest -n 0 tests/unit/operations/test_composed.py
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from psycopg import sql

from tests.expected import compare
from vaccine.operations.index.gate import Gate, _body, _Meaning
from vaccine.operations.index.states import index_statement
from vaccine.operations.key import Key, Policy, raw
from vaccine.operations.rows.find import Work, find_statement
from vaccine.operations.rows.journal import META, Images
from vaccine.operations.rows.record import UpgradeRecord
from vaccine.operations.rows.resolve_batch import BatchStatement
from vaccine.operations.rows.restore_batch import RestoreParts, locking
from vaccine.operations.table import TableColumn, TargetTable

# An operation looks for the revision that calls it: here it is this module.
revision, down_revision = "4b1c2d3e4f50", None
BLOCK = re.compile(r"DO (?P<tag>\$\w+\$)(?P<body>.*?)(?P=tag);", re.DOTALL)
SHORT = 20  # lines
FOLDER = Path(__file__).parent / "composed"


class Case:
    """A table, a key on it, its policy, and the index's name."""

    def __init__(
        self, key: Key, policy: Policy, types: dict[str, str], primary_key: tuple[str, ...], index: str
    ) -> None:
        columns = tuple(TableColumn(name, of, "", "") for name, of in types.items())
        self.key, self.policy, self.index = key, policy, index
        self.table = TargetTable(16384, key.schema, key.table, "r", columns, primary_key)
        self.work = Work(self.table, key, policy, 2, 1)
        first, second, third = map(self.table.free, META)
        self.images = Images("images_1", (first, second, third), self.table)

    @property
    def meaning(self) -> _Meaning:
        """What the server would say of the index on the key."""
        return _Meaning(self.key.where, self.key.columns, (("pg_catalog", "="),) * len(self.key.columns))


CASES = {
    "ordinary": Case(
        Key("public", "issues", ("hash",), "status = 'open' AND hash IS NOT NULL"),
        Policy(("seen_at DESC NULLS LAST", "id DESC"), {"status": "resolved"}, (), 2, "6f1c2e0a"),
        {"id": "integer", "hash": "text", "status": "text", "seen_at": "timestamp with time zone"},
        ("id",),
        "uq_issues_open_hash",
    ),
    # Quotes, blanks, %, braces, dollars, a line feed; columns that are called as ours are; a key word as an alias.
    "hostile": Case(
        Key(
            'sch"éma %s', "vaccine row", ('sel"ect', "order"),
            "\"stat'us\" = 'op''en %s {}' -- a remark; DROP TABLE x",
        ),
        Policy(
            ('"order" DESC -- newest',),
            {"stat'us": "re'solved %s {}\\ $vaccine$", "left\nat": {"sql": "now() -- late"}, "gone": None},
            (("3", "x'y"), ("4", "")), 2, "pl'an",
        ),
        {
            "%s": "integer", "pa\"rt": "character varying(3)", 'sel"ect': "text", "order": "numeric(10,2)",
            "stat'us": '"sch""éma %s"."sta te"', "left\nat": "date", "gone": "boolean", "vaccine_n": "integer",
            "vaccine_batch": "text", "vaccine_p0": "text",
        },
        ("%s", 'pa"rt'),
        'uq"%s é',
    ),
}  # fmt: skip

LOCK = sql.SQL("FOR NO KEY UPDATE")
ONE, TWO, THREE = raw("$1"), raw("$2"), raw("$3")


def record(case: Case) -> UpgradeRecord:
    return UpgradeRecord(sql.Literal("vaccine.alembic_version"), "4b1c2d3e4f50", case.policy.plan, case.key)


def batch(case: Case, *, late: bool = False) -> BatchStatement:
    return BatchStatement(case.work, case.images, record(case), LOCK, late=late, fires=late)


def shared(case: Case) -> sql.Composed:
    return BatchStatement(case.work, case.images, record(case), LOCK, tuple(case.policy.assign)).statement(ONE, TWO)


def back(case: Case, *, shared: bool = False, at: bool = False) -> RestoreParts:
    columns = tuple(case.policy.assign)
    return RestoreParts(case.images, columns, ONE, columns if shared else (), at=at, guarded=True)


def watched(case: Case, *, late: bool) -> sql.Composed:
    parts = back(case)
    return parts.watched(parts.between(TWO, THREE), list(case.policy.assign), locking(LOCK, skip=True), late=late)


STATEMENTS: dict[str, Callable[[Case], sql.Composable]] = {
    "find": lambda case: find_statement(case.work),
    "resolve_batch": lambda case: batch(case).statement(ONE, TWO),
    "resolve_batch_late": lambda case: batch(case, late=True).statement(ONE, TWO),
    "resolve_batch_reread": lambda case: batch(case, late=True).reread(ONE),
    "resolve_shared": shared,
    "restore_batch": lambda case: back(case).plain(TWO, THREE, LOCK),
    "restore_shared": lambda case: back(case, shared=True).plain(TWO, THREE, LOCK),
    "restore_shared_at": lambda case: back(case, shared=True, at=True).plain(TWO, THREE, LOCK),
    "restore_watched": lambda case: watched(case, late=False),
    "restore_watched_late": lambda case: watched(case, late=True),
    "restore_reread": lambda case: back(case).reread(TWO, list(case.policy.assign)),
    "restore_again": lambda case: back(case).again(TWO, list(case.policy.assign), list(case.policy.assign)),
    "record_begin": lambda case: record(case).begin(case.index, case.policy.assign),
    "record_end": lambda case: record(case).end(),
    "index": lambda case: index_statement(case.index, case.key),
    "index_plain": lambda case: index_statement(case.index, case.key, concurrently=False, unique=False),
    "gate": lambda case: _body(Gate.of(case.key), case.index, case.key, case.meaning),
}


def key_words(case: Case) -> dict[str, object]:
    key = case.key
    return {"schema": key.schema, "table": key.table, "columns": list(key.columns), "where": key.where}


def policy_words(case: Case) -> dict[str, object]:
    of = case.policy
    keep = [list(row) for row in of.keep]
    return {"survivor": list(of.survivor), "assign": of.assign, "keep": keep, "max_rows": of.max_rows, "plan": of.plan}


SCRIPTS: dict[str, Callable[[Operations, Case], object]] = {
    "resolve_duplicates": lambda op, case: op.resolve_duplicates(  # type: ignore[attr-defined]
        **key_words(case), **policy_words(case), index=case.index, rows="-42"
    ),
    "create_unique_index_concurrently": lambda op, case: op.create_unique_index_concurrently(  # type: ignore[attr-defined]
        case.index, **key_words(case), **policy_words(case)
    ),
    "drop_unique_index_concurrently": lambda op, case: op.drop_unique_index_concurrently(  # type: ignore[attr-defined]
        case.index, **key_words(case)
    ),
    "restore_duplicates": lambda op, case: op.restore_duplicates(  # type: ignore[attr-defined]
        **key_words(case), plan=case.policy.plan
    ),
}


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("name", CASES)
def test_a_statement_is_composed_so(name: str, statement: str) -> None:
    compare(FOLDER / name / f"{statement}.sql", STATEMENTS[statement](CASES[name]).as_string(None))


@pytest.mark.parametrize("operation", SCRIPTS)
@pytest.mark.parametrize("name", CASES)
def test_an_operation_writes_so_into_a_script(name: str, operation: str) -> None:
    out = StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": out})
    with context.begin_transaction():
        SCRIPTS[operation](Operations(context), CASES[name])
    compare(FOLDER / name / f"script_{operation}.sql", BLOCK.sub(outline, out.getvalue()))


def outline(block: re.Match[str]) -> str:
    """A DO block with its constants, which are the revision's; its body, which any key has, only where it is short."""
    body = block["body"]
    if body.count("\n") <= SHORT:
        return block[0]
    head = re.split(r"^(?:    v_\w+ (?!CONSTANT)|BEGIN\n)", body, maxsplit=1, flags=re.MULTILINE)[0]
    return f"DO {block['tag']}{head}…\n{block['tag']};"


def test_every_text_belongs_to_a_statement() -> None:
    known = {f"{name}/{each}.sql" for name in CASES for each in (*STATEMENTS, *(f"script_{one}" for one in SCRIPTS))}
    assert {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.sql")} == known
