"""`alembic … --sql`: one script that psql runs from end to end to the state that an online run reaches.

A script cannot batch or watch. It resolves all rows in one transaction under a lock that keeps writers of
the table out, and builds the index CONCURRENTLY, alone. Each step refuses where the one before it failed, so that
psql without ON_ERROR_STOP neither builds nor drops an index behind a refusal, and cannot stamp a failure (`step`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from psycopg import sql

from ...errors import one_line
from ..checks.model import Check, Question, Stage
from ..checks.ownership import ownership_of
from ..checks.prepared import OF_DROP
from ..checks.way_back import NOTHING, OF_JOURNAL, OF_RESTORE
from ..index.states import index_statement
from ..key import Key, Policy
from ..options import Options
from ..rows.record import UpgradeRecord
from ..session.caller import calling_revision, version_table
from . import bodies
from .step import alone, do, of_key, script, sql_file, text, transaction

if TYPE_CHECKING:
    from alembic.operations import Operations


def resolve_duplicates(operations: Operations, key: Key, policy: Policy, options: Options, index: str | None) -> None:
    """Print the script that resolves all excess rows in one transaction."""
    record = _record(operations, key, policy.plan)
    question = Question(key, policy, index, options)
    stages = (Stage.SERVER, Stage.TABLE, *([Stage.INDEX] if index is not None else []))
    work = [
        _whose(operations, key, options, up=True),
        bodies.preflight(question, bodies.refused(key), *stages),
        bodies.journal(key, options),
        f"{text(record.begin(index, policy.assign))};",
        bodies.resolve(key, policy, options, record),
    ]
    _print(
        operations,
        script(key, options, transaction(key, work)),
        f"resolve the duplicates of {key}; writers of the table wait while this transaction runs",
    )


def restore_duplicates(operations: Operations, key: Key, plan: str, options: Options) -> None:
    """Print the script that restores all rows that are still as they were left, in one transaction."""
    record = _record(operations, key, plan)
    work = [
        *_before_downgrade(operations, key, options, OF_RESTORE),
        bodies.way_back(record, options, dry=False, plan=plan),
        bodies.undo(key, options, record),
    ]
    _print(
        operations,
        script(key, options, transaction(key, work)),
        f"restore the rows of {key}; writers of the table wait while this transaction runs",
    )


def create_unique_index(operations: Operations, name: str, key: Key, policy: Policy, options: Options) -> None:
    """Print the build, alone in autocommit, and the check without which nothing is stamped."""
    record = _record(operations, key, policy.plan)
    build = text(index_statement(name, key)).rstrip().rstrip(";")
    build = build.replace("INDEX CONCURRENTLY ", "INDEX CONCURRENTLY IF NOT EXISTS ", 1)
    aside = f"vaccine_leftover_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    what = (
        f"the unique index on {key} is refused; this step changed nothing, and rows that were resolved before it are "
        "journalled"
    )
    before = [
        _whose(operations, key, options, up=True),
        bodies.preflight(Question(key, policy, name, options), what, Stage.SERVER, Stage.TABLE, Stage.INDEX),
        bodies.index_check(record, name, options, "index_before.sql", aside=aside),
        bodies.journal(key, options),
        f"{text(record.begin(name, policy.assign))};",
    ]
    after = [bodies.index_check(record, name, options, "index_after.sql"), f"{text(record.end())};"]
    statements = [
        *transaction(key, before),
        *alone(options, _drop(key, aside), f"{build}\n;"),
        *transaction(key, after),
    ]
    _print(operations, script(key, options, statements), f"build {name}; writers go on")


def drop_unique_index(operations: Operations, name: str, key: Key, options: Options) -> None:
    """Print the drop, alone in autocommit, and the check without which nothing is stamped.

    What the rows need that go back afterwards is asked before.
    """
    record = _record(operations, key, "")
    before = [
        *_before_downgrade(operations, key, options, OF_JOURNAL, OF_DROP),
        bodies.way_back(record, options, dry=True),
        bodies.index_check(record, name, options, "index_drop.sql"),
    ]
    statements = [
        *transaction(key, before),
        *alone(options, _drop(key, name)),
        *transaction(key, [do({**of_key(key), "v_name text": name}, sql_file("dropped.sql"))]),
    ]
    _print(operations, script(key, options, statements), f"drop {name}; writers go on")


def _whose(operations: Operations, key: Key, options: Options, *, up: bool) -> str:
    """A block that sees whose the vaccination is."""
    context = operations.migration_context
    of = ownership_of(context, version_table(context.version_table_schema, context.version_table), key)
    return bodies.whose(key, options, of, up=up)


def _before_downgrade(
    operations: Operations, key: Key, options: Options, only: Sequence[str], *also: Check
) -> list[str]:
    """Whose it is, and the checks of a way back."""
    question = Question(key, NOTHING, None, options)
    refused = f"the downgrade of {key} is refused; nothing was changed"
    return [
        _whose(operations, key, options, up=False),
        bodies.preflight(question, refused, Stage.SERVER),
        bodies.preflight(question, refused, Stage.TABLE, only=only, also=also),
    ]


def _record(operations: Operations, key: Key, plan: str) -> UpgradeRecord:
    context = operations.migration_context
    table = version_table(context.version_table_schema, context.version_table)
    return UpgradeRecord(table, calling_revision(), plan, key)


def _drop(key: Key, name: str) -> str:
    return text(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {};").format(sql.Identifier(key.schema, name)))


def _print(operations: Operations, statements: list[str], title: str) -> None:
    context = operations.migration_context
    comment = one_line(" ".join(title.split()))
    with context.autocommit_block():
        context.impl.static_output(f"-- Vaccine: {comment}")
        for statement in statements:
            context.impl.static_output(statement)
