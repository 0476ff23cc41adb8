"""Asks the checks, online: every reason at once, nothing changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg
from psycopg import errors

from .every import CODES, EVERY
from .model import Check, Reason, Stage, Subject

NOT_TRIED = "not-tried"


def ask(subject: Subject, *stages: Stage, only: Sequence[str] = CODES) -> list[Reason]:
    """Every reason of these stages, in the order of the list; `only` these codes."""
    asked = [check for check in EVERY if check.stage in stages and check.code in only]
    return [reason for check in asked for reason in reasons_of(subject, check)]


def halting(reasons: Iterable[Reason]) -> bool:
    """Whether one that blocks makes it pointless to look for rows."""
    halts = {check.code for check in EVERY if check.halts}
    return any(reason.blocking and reason.code in halts for reason in reasons)


def blocking(reasons: Iterable[Reason]) -> list[Reason]:
    """Those that stop a run."""
    return [reason for reason in reasons if reason.blocking]


def told_by(error: psycopg.Error) -> str:
    """An error of the server with its DETAIL and HINT, on one line."""
    parts = [(error.diag.message_primary or str(error)).strip() + (f" ({error.sqlstate})" if error.sqlstate else "")]
    parts += [f"{name}: {more.strip()}" for name, more in _more(error) if more]
    return "; ".join(" ".join(part.split()) for part in parts)


def _more(error: psycopg.Error) -> Sequence[tuple[str, str | None]]:
    return ("DETAIL", error.diag.message_detail), ("HINT", error.diag.message_hint)


def reasons_of(subject: Subject, check: Check) -> Iterable[Reason]:
    """The reasons of one check."""
    if check.writes and not subject.writes:
        return
    rows = subject.connection.execute(check.composed(subject.question)).fetchall()
    blocks = check.blocking and not (subject.question.dry and check.elsewhere)
    for text, fix, *statements in rows:
        if not statements:
            yield Reason(check.code, text, fix, blocks)
            continue
        try:
            found = _found(subject.connection, statements[0])
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            yield Reason(
                NOT_TRIED, f"not tried: {text}: {told_by(error)}", "run it again when the lock is free", blocking=False
            )
            continue
        except psycopg.DatabaseError as error:
            if subject.connection.closed or _ignored(check, error.sqlstate or ""):
                if subject.connection.closed:
                    raise
                continue
            found = told_by(error)
        if found is not None:
            yield Reason(check.code, f"{text}: {found}", fix, blocks)


def _ignored(check: Check, state: str) -> bool:
    return bool({state, state[:2]} & set(check.ignores))


def _found(connection: psycopg.Connection, statements: Sequence[str]) -> str | None:
    """What the last statement found, all of them taken back. One statement a message: binary asks for that protocol."""
    row = None
    with connection.transaction(force_rollback=True):
        for statement in statements:
            cursor = connection.execute(statement.encode(), binary=True)
            row = cursor.fetchone() if cursor.description else None
    return None if row is None or row[0] is None else str(row[0])
