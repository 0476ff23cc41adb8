"""The skeleton of a script, without a server: what stands between its blocks, and in which order."""

from __future__ import annotations

import io
import re

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations

from vaccine.operations.key import Key, Policy
from vaccine.operations.options import Options
from vaccine.operations.script import write
from vaccine.operations.script.step import do

KEY = Key("public", "issues", ("hash",), "status = 'open'")
POLICY = Policy(("id DESC",), {"status": "resolved"}, (), 2, "6f1c", ((("3",), ("1",), ("2",)),))
SHOWN = 56  # characters of a statement
SETTINGS = ["SET lock_timeout = '200ms'", "SET statement_timeout = '300s'",
            "SET idle_in_transaction_session_timeout = '5s'"]  # fmt: skip
ENTER = ["COMMIT", "SET client_encoding = 'UTF8'", "DO", "SET row_security = off", *SETTINGS, "DO"]
BEGIN = ["BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", "DO"]
DONE = ["SET default_transaction_read_only = off", "COMMIT"]
ALONE = ["SET lock_timeout = '0'", "SET statement_timeout = '0'", SETTINGS[2]]
LEAVE = ["DO", "BEGIN"]


@pytest.fixture
def operations() -> Operations:
    buffer = io.StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": buffer})
    return Operations(context)


def skeleton(operations: Operations) -> list[str]:
    """The statements, each by its first line; what is in a block's dollar quotes is left out."""
    text = operations.migration_context.output_buffer.getvalue()  # type: ignore[union-attr]
    text = re.sub(r"DO (\$\w+\$).*?\1", "DO", text, flags=re.DOTALL)
    text = re.sub(r"(?m)^--.*$", "", text)
    return [each.strip().splitlines()[0][:SHOWN] for each in text.split(";\n") if each.strip()]


def test_a_dedupe_is_one_transaction(operations: Operations) -> None:
    with operations.migration_context.begin_transaction():
        write.resolve_duplicates(operations, KEY, POLICY, Options(), None)
    record = "INSERT INTO vaccine.vaccination AS v (version_table, rev"
    assert skeleton(operations)[1:-1] == [*ENTER, *BEGIN, "DO", "DO", "DO", record, "DO", *DONE, *LEAVE]


def test_an_index_is_built_alone_between_two_transactions(operations: Operations) -> None:
    with operations.migration_context.begin_transaction():
        write.create_unique_index(operations, "u", KEY, POLICY, Options())
    found = skeleton(operations)[1:-1]
    alone = found.index(ALONE[0])
    assert found[alone : alone + 9] == [
        *ALONE,
        'DROP INDEX CONCURRENTLY IF EXISTS "public"."vaccine_left',
        'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "u" ON "p',
        *SETTINGS,
        "DO",
    ]
    assert found[:alone] == [*ENTER, *BEGIN, *found[len(ENTER) + 2 : alone - 2], *DONE]
    assert found[alone + 9 :] == [
        *BEGIN,
        "DO",
        "UPDATE vaccine.vaccination AS v SET ended_at = pg_catalo",
        *DONE,
        *LEAVE,
    ]


def test_knobs_bound_the_script(operations: Operations) -> None:
    options = Options.parse({"vaccine.lock_timeout_ms": "50", "vaccine.wait_s": "7", "vaccine.build_s": "60"})
    with operations.migration_context.begin_transaction():
        write.drop_unique_index(operations, "u", KEY, options)
    found = skeleton(operations)
    assert [each for each in found if each.startswith("SET lock")] == [
        "SET lock_timeout = '50ms'", "SET lock_timeout = '0'", "SET lock_timeout = '50ms'"
    ]  # fmt: skip
    assert [each for each in found if each.startswith("SET statement")] == [
        "SET statement_timeout = '7s'", "SET statement_timeout = '67s'", "SET statement_timeout = '7s'"
    ]  # fmt: skip


def test_a_text_that_holds_the_quotes_gets_other_ones() -> None:
    assert do({"v_a text": "$vaccine$"}, "BEGIN END") == (
        "DO $vaccine_$\nDECLARE\n    v_a CONSTANT text := '$vaccine$';\nBEGIN END\n$vaccine_$;"
    )
