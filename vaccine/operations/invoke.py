"""What each operation does when a revision calls it: on a server, or as a script (`alembic … --sql`)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from sqlalchemy.exc import SQLAlchemyError

from .checks.late import late_duplicates
from .checks.ownership import ownership_of, refuse_foreign
from .checks.preflight import before_index, before_resolve
from .checks.way_back import before_drop, before_restore
from .errors import BusyError, NotOursError, OperationError, RestoreError
from .index.verify import verify_index, verify_restored
from .key import Key, Policy
from .rows.journal import ensure_journal, has_record
from .rows.record import record_of
from .rows.resolve import Resolved, resolve
from .rows.restore import restore
from .rows.restored import Restored
from .session.caller import calling
from .session.command import alembic_again
from .session.connect import options_of, refuse_overtaken, run_of
from .session.mutex import LOST, lost, one_run
from .session.run import Run
from .session.stamp import told
from .session.stop import Stop, stoppable
from .standing import with_standing

if TYPE_CHECKING:
    from alembic.operations import Operations


def resolve_duplicates(operations: Operations, key: Key, policy: Policy, index: str | None) -> None:
    """Preflight, then dedupe in batches."""
    if operations.migration_context.as_sql:
        from .script.write import resolve_duplicates as script  # noqa: PLC0415  a script needs no run time

        script(operations, key, policy, options_of(operations.migration_context), index)
        return
    with _running(operations, key, up=True) as run:
        began = time.monotonic()
        table, work = before_resolve(run, key, policy, index)
        run.say(
            f"preflight of {key}: {_count(work.rows, 'row')} to resolve in {_count(work.groups, 'group')} "
            f"(at most {policy.max_rows} approved), {_ms(began)}"
        )
        began = time.monotonic()
        done = resolve(run, key, policy, table, work, index=index)
        run.say(_resolved(key, done, began))


def create_unique_index(operations: Operations, name: str, key: Key, policy: Policy, gate: str) -> None:
    """Preflight, the build under traffic, verify."""
    if operations.migration_context.as_sql:
        from .script.write import create_unique_index as script  # noqa: PLC0415  a script needs no run time

        script(operations, name, key, policy, options_of(operations.migration_context))
        return
    from .index.build import build_unique_index  # noqa: PLC0415  the largest part, and only here

    with _running(operations, key, up=True) as run:
        table = before_index(run, name, key, policy)
        ensure_journal(run.worker)
        run.worker.execute(record_of(run, key, policy.plan).begin(name, policy.assign))

        def resolve_late() -> int:
            began = time.monotonic()
            work = late_duplicates(run, table, key, policy)
            done = resolve(run, key, policy, table, work)
            run.say(_resolved(key, done, began))
            return done.rows

        began = time.monotonic()
        build_unique_index(run, name, key, resolve=resolve_late, gate=gate)
        verify_index(run, name, key)
        run.worker.execute(record_of(run, key, policy.plan).end())
        run.say(f"verified {name} on {key}: valid and ready, {_ms(began)} with the build")


def drop_unique_index(operations: Operations, name: str, key: Key) -> None:
    """Preflight, then drop."""
    if operations.migration_context.as_sql:
        from .script.write import drop_unique_index as script  # noqa: PLC0415  a script needs no run time

        script(operations, name, key, options_of(operations.migration_context))
        return
    from .index.build import drop_unique_index as drop  # noqa: PLC0415  the largest part, and only here

    with _running(operations, key, up=False) as run:
        table, oid = before_drop(run, key, name)
        if table is not None:
            drop(run, name, key, oid)


def restore_duplicates(operations: Operations, key: Key, plan: str) -> None:
    """Preflight, restore from the journal, verify."""
    if operations.migration_context.as_sql:
        from .script.write import restore_duplicates as script  # noqa: PLC0415  a script needs no run time

        script(operations, key, plan, options_of(operations.migration_context))
        return
    with _running(operations, key, up=False) as run:
        began = time.monotonic()
        table, found = before_restore(run, key, plan)
        done = Restored(lost=found.left + found.unjournalled)
        if table is not None:
            done = restore(run, key, plan, table, found)
            verify_restored(run, key, plan, len(done.stuck))
        for line in done.lines(key):
            run.say(f"{line}, {_ms(began)}" if line == done.restored_line(key) else line)
        if done.stuck and run.options.restore not in {"partial", "lost"}:
            raise RestoreError(
                f"{len(done.stuck)} rows of {key} could not go back; all others are done with: {done.last_line()}",
                why="; ".join(done.stuck_reasons()),
                fix="remove the cause, then run the same command again: it restores the rest; or accept it with "
                "-x vaccine.restore=partial: these rows stay in the journal",
            )
        if has_record(run.worker):
            run.worker.execute(record_of(run, key, plan).undo())


@contextmanager
def _running(operations: Operations, key: Key, *, up: bool) -> Iterator[Run]:
    """A run that no other run on the table disturbs; whatever stops it becomes one message.

    Raises:
        OperationError: the database refused a statement, or the run was interrupted; or what stopped it.
    """
    caller = calling()
    context, stop = operations.migration_context, Stop()
    with _in_words(key, stop), stoppable(stop), run_of(context, key, stop) as run:
        try:
            with _in_words(key, stop, run), one_run(run, key):
                refuse_overtaken(context)
                refuse_foreign(run, ownership_of(context, sql.Literal(run.version_table), key), up=up)
                yield run
        except (BusyError, NotOursError):
            raise  # what stays is the other's
        except OperationError as error:
            raise with_standing(error, run, key, caller, alembic_again(context)) from error.__cause__


@contextmanager
def _in_words(key: Key, stop: Stop, run: Run | None = None) -> Iterator[None]:
    """An interrupt or an error of the driver becomes an OperationError."""
    try:
        yield
    except KeyboardInterrupt:
        raise OperationError(
            f"the vaccination of {key} was interrupted; what was committed before is journalled{stop.left}",
            why=f"{stop.cause or 'Ctrl-C'} told it to stop"
            + ("" if stop.left else "; a build that was under way has been cancelled"),
            fix="run the same command again: it goes on where this one ended",
        ) from None
    except (psycopg.Error, SQLAlchemyError) as error:  # on our connections, and on Alembic's
        if run is not None and lost(run):
            raise OperationError(
                f"the vaccination of {key} lost its session, and its lock on the table with it: it has stopped; "
                "what was committed before is journalled",
                why=told(error),
                fix=f"{LOST}, then run the same command again: it goes on where this one ended",
            ) from error
        raise OperationError(
            f"the database refused a statement of the vaccination of {key}; what was committed before is journalled",
            why=told(error),
            fix="remove the cause, then run the same command again: it goes on where this one ended",
        ) from error


def _resolved(key: Key, done: Resolved, began: float) -> str:
    if not done.rows:
        return f"no duplicates of {key} to resolve, {_ms(began)}"
    return (
        f"resolved {_count(done.rows, 'row')} of {key} in {_count(done.batches, 'batch', 'batches')}, "
        f"locks held {done.slowest_ms:.0f} ms at most, {_ms(began)}"
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _ms(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
