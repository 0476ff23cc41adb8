"""Asks every check before anything changes; all reasons go into one message."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg import sql

from ..errors import DriftedError, PreflightError
from ..index.states import index_state
from ..key import Key, Policy
from ..rows.find import Work, find, kept, live_key
from ..rows.journal import already_resolved, has_journal
from ..rows.pace import tell_of_hidden_replicas
from ..rows.resolve import not_approved
from ..session.blockers import holders_of, named, who_would_block
from ..session.retry import with_lock_retries
from ..session.run import Run
from ..table import TargetTable, read_table
from .ask import ask, blocking, halting
from .disk import read_need, read_space
from .model import Question, Reason, Stage, Subject

REFUSED = "the vaccination of {} is refused; nothing was changed"
INDEX_REFUSED = (
    "the unique index on {} is refused; this step changed nothing, and rows that were resolved before it are journalled"
)
NOTHING = Policy((), {}, (), 0, "")  # a way back has a key only


def before_resolve(run: Run, key: Key, policy: Policy, index: str | None) -> tuple[TargetTable, Work]:
    """What must hold before a dedupe. Returns the table and the excess rows, found once for all.

    Raises:
        DriftedError: there are other rows to resolve than approved, or a row kept by hand is gone.
        PreflightError: any other reason.
    """
    question = Question(key, policy, index, run.options)
    table, subject = _readable(run, key), Subject(run.worker, question)
    reasons = blocking(ask(subject, Stage.TABLE, *([Stage.INDEX] if index is not None else [])))
    if halting(reasons):
        raise refusal(key, reasons)
    drift = _kept_rows(run, table, key, policy)
    work = find(run.worker, table, key, policy) if table.primary_key else Work(table, key, policy, 0, 0)
    reasons += blocking(ask(subject, Stage.ROWS)) if work.rows else []
    drift += not_approved(run, work) or _nothing_live(run, work)
    if drift and run.options.drift != "accept":
        raise DriftedError(
            f"{key} is no longer as the plan saw it; nothing was changed",
            why=_numbered([*map(str, reasons), *drift]),
            fix="look at it again with `vaccine plan`, or accept the database as it is with "
            "`alembic -x vaccine.drift=accept upgrade …`",
            reasons=[*map(str, reasons), *drift],
        )
    if reasons:
        raise refusal(key, reasons)
    missing = index is not None and index_state(run.worker, index, key).kind != "valid"
    if work.rows:
        tell_of_hidden_replicas(run)
    if work.rows or missing:
        need = read_need(run.worker, table, key, policy.assign, work.rows, index=missing)
        run.say(need.line(read_space(run.worker)))
    if work.rows and missing and (blockers := who_would_block(run.worker, key)):
        run.say(f"after the dedupe the build would wait, as things stand, for: {named(blockers)}")
    return table, work


def _nothing_live(run: Run, work: Work) -> list[str]:
    """Whether the approved rows are gone with all others. Not asked of a run that goes on where another ended."""
    if work.rows or not work.policy.rows or already_resolved(run.worker, work.key, work.policy.plan):
        return []
    live = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(work.table.source, live_key(work.key))
    row = run.worker.execute(live).fetchone()
    if row and row[0]:
        return []
    saw = f"no row of the table is live any more, where the plan saw {work.policy.max_rows} to resolve"
    return [f"{saw}: another database, an emptied table, or a predicate that fits no row"]


def before_index(run: Run, name: str, key: Key, policy: Policy) -> TargetTable:
    """What must hold before the index is built.

    Raises:
        PreflightError: every reason why not.
    """
    table = _readable(run, key)
    subject = Subject(run.worker, Question(key, policy, name, run.options))
    reasons = blocking(ask(subject, Stage.TABLE, Stage.INDEX))
    if reasons:
        raise refusal(key, reasons, INDEX_REFUSED)
    blockers = who_would_block(run.worker, key)
    if blockers:
        run.say(f"the build will wait up to {run.options.wait_s} s for: {named(blockers)}")
    return table


def refusal(key: Key, reasons: Sequence[Reason], what: str = REFUSED) -> PreflightError:
    """One error that lists every reason."""
    return PreflightError(
        what.format(key),
        why=_numbered(list(map(str, reasons))),
        fix="remove " + ("each cause" if len(reasons) > 1 else "the cause") + ", then run the same command again",
        reasons=list(map(str, reasons)),
    )


def _numbered(reasons: list[str]) -> str:
    if len(reasons) == 1:
        return reasons[0]
    return "".join(f"\n    {number}. {reason}" for number, reason in enumerate(reasons, 1))


def _table(run: Run, key: Key) -> TargetTable:
    """The table; what makes all other questions pointless is refused at once."""
    reasons = ask(Subject(run.worker, Question(key, NOTHING, None, run.options)), Stage.SERVER)
    table = read_table(run.worker, key)
    if reasons or table is None:
        raise refusal(key, reasons)
    has_journal(run.worker)
    return table


def _readable(run: Run, key: Key) -> TargetTable:
    """The table, once it can be read: behind an ACCESS EXCLUSIVE lock the questions would wait without an end."""
    table = _table(run, key)
    with suppress(psycopg.errors.InsufficientPrivilege):  # asked about next, in words
        with_lock_retries(
            run.worker,
            run.options,
            lambda: run.worker.execute(sql.SQL("SELECT FROM {} LIMIT 0").format(table.source)),
            f"read {key.schema}.{key.table}; nothing was changed",
            blame=lambda: f"the table is held by {named(found)}" if (found := holders_of(run.worker, key)) else "",
        )
    return table


def _kept_rows(run: Run, table: TargetTable, key: Key, policy: Policy) -> list[str]:
    """How the rows kept by hand are no longer as planned."""
    if not policy.keep:
        return []
    row = run.worker.execute(
        sql.SQL("SELECT count(*), count(*) FILTER (WHERE ({live}) IS TRUE) FROM {source} WHERE {chosen}").format(
            live=live_key(key), source=table.source, chosen=kept(Work(table, key, policy, 0, 0))
        )
    ).fetchone()
    assert row is not None
    there, live = row
    drift: list[str] = []
    if there < len(policy.keep):
        drift.append(f"{len(policy.keep) - there} of the rows kept by hand are gone")
    if live < there:
        drift.append(f"{there - live} of the rows kept by hand are no longer live")
    return drift
