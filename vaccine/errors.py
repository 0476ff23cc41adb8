"""What can go wrong, as values with fields: what is blocked, why, and what to do next.

Every kind has a `code`, under which docs/errors.md explains it, and the exit status that the
command line gives it: 1 the answer is no, 2 usage or configuration, 3 the database. Nothing
here prints or exits; only the command line does.
"""

from __future__ import annotations

from typing import ClassVar

from vaccine.text import one_line as one_line  # noqa: PLC0414  the run time imports errors alone
from vaccine.text import shown as shown  # noqa: PLC0414


class VaccineError(Exception):
    """Base of all errors that a user may see.

    Args:
        what: one sentence that says what is blocked.
        why: the cause, with the values that were seen.
        fix: what to run or change next.
    """

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [f"{self.what} [{self.code}]"]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return shown("\n".join(lines))


class UsageError(VaccineError):
    """The command's words or the configuration are wrong; nothing was read or changed."""

    code = "usage"
    exit_status = 2


class ConfigurationError(UsageError):
    """vaccine.toml, [tool.vaccine] or alembic.ini cannot be used as it stands."""

    code = "configuration"


class UnknownKeyError(UsageError):
    """A table or column named on the command line does not exist in the database."""

    code = "unknown-key"


class PredicateError(UsageError):
    """A predicate or an expression does not parse or does not fit the table."""

    code = "predicate"


class PlanFileError(UsageError):
    """The plan file is not JSON, is of another version, or was edited by hand."""

    code = "plan-file"


class AlembicEnvironmentError(UsageError):
    """The Alembic environment cannot take the revision."""

    code = "environment"


class RefusedError(VaccineError):
    """The answer is no: it could be done, but not safely as things are."""

    code = "refused"


class DriftError(RefusedError):
    """The database is no longer as the plan saw it."""

    code = "drift"


class DatabaseError(VaccineError):
    """The database cannot be reached, or refuses for a reason that is not ours."""

    code = "database"
    exit_status = 3


class ConnectionFailedError(DatabaseError):
    """No connection could be made."""

    code = "connection"


class PermissionDeniedError(DatabaseError):
    """The role may not do what the command needs."""

    code = "permission"
