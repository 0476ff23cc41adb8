"""The steps of a vaccination and of its undo: each statement, the lock that it takes, what it blocks.

The statements come from the run time itself, so that the dry run and the real one share their SQL.
Lock modes: manual, section 13.3.1 and each command's page.
"""

from __future__ import annotations

import psycopg

from vaccine.audit.finding import Assignment, Expression
from vaccine.operations import dry as describe
from vaccine.operations.dry import Key, Policy, Value
from vaccine.plan.locks import LockMode
from vaccine.plan.model import Statement, Step, Vaccination

LOCKS = {
    "find the duplicate groups, once": LockMode.ACCESS_SHARE,
    "lock the rows that are as found, write their old images, resolve them, write the journal": LockMode.ROW_EXCLUSIVE,
    "write the new images": LockMode.ACCESS_SHARE,
    "put the old values back": LockMode.ROW_EXCLUSIVE,
    "put the old values back, and compare each row with its image": LockMode.ROW_EXCLUSIVE,
    "build the index": LockMode.SHARE_UPDATE_EXCLUSIVE,
    "drop the index": LockMode.SHARE_UPDATE_EXCLUSIVE,
}
GATE = {
    "auto": "builds the index beside the writers; after three new duplicates behind a gate trigger",
    "always": "puts up a gate trigger (SHARE ROW EXCLUSIVE for some ms), then builds the index",
    "never": "builds the index beside the writers; never with a gate trigger",
}


def up(connection: psycopg.Connection, of: Vaccination) -> tuple[Step, ...]:
    """What `alembic upgrade` does, in order."""
    index = describe.build_statement(connection, of.index_name, _key(of))
    return (
        Step("preflight", (), "asks all of this again, and refuses before anything changes"),
        *_resolving(connection, of),
        Step("index", (_statement(index, "once; reads the table twice and waits for open writers"),), GATE[of.gate]),
        Step("verify", (), "sees that the index is valid and no live duplicate is left"),
    )


def down(connection: psycopg.Connection, of: Vaccination) -> tuple[Step, ...]:
    """What `alembic downgrade` does, in order."""
    drop = describe.drop_statement(connection, of.index_name, _key(of))
    beside = "drops the index beside the writers"
    steps = [Step("drop", (_statement(drop, "once; waits for sessions that use the table"),), beside)]
    if _resolvable(of):
        restore = describe.restore_statement(connection, _key(of), _policy(of), of.fingerprint.excess_rows)
        note = "puts back, byte for byte, each row that nobody changed since"
        steps.append(Step("restore", (_statement(restore, "each batch"),), note))
    return tuple(steps)


def _resolving(connection: psycopg.Connection, of: Vaccination) -> tuple[Step, ...]:
    if not _resolvable(of):
        return ()
    found = describe.dedupe_statements(connection, _key(of), _policy(of), of.fingerprint.excess_rows)
    return (
        Step("find", (_statement(found[0], "once"),), "finds the duplicate groups, once"),
        Step(
            "resolve",
            tuple(_statement(each, f"each batch, {each.purpose}") for each in found[1:]),
            "finds the groups, retires the rows, old images kept, 25 ms a batch",
        ),
    )


def _resolvable(of: Vaccination) -> bool:
    return bool(of.fingerprint.excess_rows and of.primary_key and of.assign)


def _statement(of: describe.Described, note: str) -> Statement:
    return Statement(of.sql, LOCKS[of.purpose], note)


def _key(of: Vaccination) -> Key:
    return Key(of.schema, of.table, of.columns, of.where)


def _policy(of: Vaccination) -> Policy:
    return Policy(of.survivor, values(of.assign), of.keep, of.max_rows, "")


def values(assign: Assignment) -> dict[str, Value]:
    """The assignment as a revision spells it."""
    return {name: {"sql": value.sql} if isinstance(value, Expression) else value for name, value in assign}
