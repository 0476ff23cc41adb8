"""What became of Alembic's stamp where its connection was lost over it, said in words in whatever env.py.

The stamp comes behind the last operation, out of reach of an exception handler of ours, so SQLAlchemy is asked to
let us name that error. Only errors of that one transaction are named: every other one stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from ..errors import OperationError
from .caller import Caller

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import ExceptionContext


@dataclass(frozen=True)
class Awaited:
    """The stamp that a connection is to bring. `again` is `alembic`, with what chose the environment."""

    caller: Caller
    version_table: str
    again: str


_awaited: WeakKeyDictionary[Connection, Awaited] = WeakKeyDictionary()


def await_stamp(context: MigrationContext, caller: Caller, again: str) -> None:
    """From here to the end of Alembic's transaction the loss of its connection is the stamp's loss."""
    connection = context.connection
    assert connection is not None
    _awaited[connection] = Awaited(caller, context.version_table, again)
    if not event.contains(connection.engine, "handle_error", _named):
        event.listen(connection.engine, "handle_error", _named)
    if not event.contains(connection, "begin", forget_stamp):
        event.listen(connection, "begin", forget_stamp)


def forget_stamp(connection: Connection | None) -> None:
    """Another operation begins, or another transaction: what is lost now is no stamp."""
    if connection is not None:
        _awaited.pop(connection, None)


def _named(failed: ExceptionContext) -> BaseException | None:
    """SQLAlchemy's hook: the exception to raise instead; None leaves it."""
    awaited = _awaited.get(failed.connection) if failed.connection is not None else None
    if awaited is None or not failed.is_disconnect:
        return None
    if failed.statement is None:
        return _unknown(awaited, failed.original_exception)
    return _unstamped(awaited, failed.original_exception) if awaited.version_table in failed.statement else None


def _unknown(awaited: Awaited, error: Any) -> OperationError:
    caller = awaited.caller
    up = caller.function != "downgrade"
    shows = f"{'shows' if up else 'no longer shows'} {caller.revision}"
    return OperationError(
        f"the {caller.function} of revision {caller.revision} is done, but Alembic's connection was lost at the commit "
        f"of its stamp: whether it is {'stamped' if up else 'unstamped'} cannot be told from here",
        why=told(error),
        fix=f"see `{awaited.again} current`: where it {shows}, nothing is left to do; else run the same command again: "
        "it recognises what is done, and stamps",
    )


def _unstamped(awaited: Awaited, error: Any) -> OperationError:
    caller = awaited.caller
    return OperationError(
        f"the {caller.function} of revision {caller.revision} is done, but Alembic's own connection was lost, so it is "
        f"not {'unstamped' if caller.function == 'downgrade' else 'stamped'}",
        why=told(error),
        fix="run the same command again: it recognises what is done, and stamps",
    )


def told(error: BaseException) -> str:
    """What the driver said, on one line; of an error of SQLAlchemy's, the driver's that is within."""
    inner = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    lines = " / ".join(line.strip() for line in str(inner).splitlines() if line.strip())
    state = getattr(inner, "sqlstate", None) or getattr(inner, "pgcode", None)
    return f"{lines or type(inner).__name__} ({state or 'no SQLSTATE: the connection was lost'})"
