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
    "build the index": LockMode.SHARE_UPDATE_EXCLUSIVE,
    "drop the index": LockMode.SHARE_UPDATE_EXCLUSIVE,
}
GATE = {
    "auto": "a build that meets a new duplicate is repeated; after three, a gate trigger keeps new ones out meanwhile",
    "always": "a gate trigger goes up first (SHARE ROW EXCLUSIVE for some ms) and comes down at the end",
    "never": "a build that meets a new duplicate is repeated; no gate trigger",
}


def up(connection: psycopg.Connection, of: Vaccination) -> tuple[Step, ...]:
    """What `alembic upgrade` does, in order."""
    index = describe.build_statement(connection, of.index_name, _key(of))
    return (
        Step(
            "preflight", (), "reads the catalog, counts the duplicates again, refuses with every reason if it drifted"
        ),
        *_resolving(connection, of),
        Step("index", (_statement(index, "once; reads the table twice and waits for open writers"),), GATE[of.gate]),
        Step("verify", (), "the index is valid and as planned, no live duplicate is left, journal and counts agree"),
    )


def down(connection: psycopg.Connection, of: Vaccination) -> tuple[Step, ...]:
    """What `alembic downgrade` does, in order."""
    drop = describe.drop_statement(connection, of.index_name, _key(of))
    steps = [Step("drop", (_statement(drop, "once; waits for sessions that use the table"),))]
    if _resolvable(of):
        restore = describe.restore_statement(connection, _key(of), _policy(of), of.fingerprint.excess_rows)
        note = (
            "a row that nobody changed since equals its old image byte for byte; a changed one keeps its edit, listed"
        )
        steps.append(Step("restore", (_statement(restore, "each batch"),), note))
    return tuple(steps)


def _resolving(connection: psycopg.Connection, of: Vaccination) -> tuple[Step, ...]:
    if not _resolvable(of):
        return ()
    found = describe.dedupe_statements(connection, _key(of), _policy(of), of.fingerprint.excess_rows)
    return (
        Step("find", (_statement(found[0], "once"),), "the duplicate groups, found once, into a temporary table"),
        Step(
            "resolve",
            tuple(_statement(each, f"each batch, {each.purpose}") for each in found[1:]),
            "one transaction a batch, of about 25 ms, old images and journal included; rows that another session holds "
            "are skipped; those and rows that changed meanwhile come last, looked at again under their lock",
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
