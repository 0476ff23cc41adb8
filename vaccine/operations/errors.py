"""What a revision can refuse or fail with. Alembic prints these as one message, without a traceback."""

from __future__ import annotations

from collections.abc import Sequence

from alembic.util import CommandError

from ..errors import VaccineError


class OperationError(VaccineError, CommandError):
    """Base of the run time's errors: a CommandError too, so `alembic upgrade` ends with the message alone."""

    code = "operation"


class PreflightError(OperationError):
    """The upgrade or downgrade is refused before anything changed. `reasons` lists every one."""

    code = "preflight"

    def __init__(self, what: str, *, why: str = "", fix: str = "", reasons: Sequence[str] = ()) -> None:
        super().__init__(what, why=why, fix=fix)
        self.reasons = tuple(reasons) or (why,)


class NotOursError(PreflightError):
    """Another environment did the vaccination, or a later revision stands on it: neither index nor rows are touched."""

    code = "not-ours"


class DriftedError(PreflightError):
    """The database is no longer as the plan saw it: `-x vaccine.drift=accept` is the only way past."""

    code = "drift"


class OptionError(OperationError):
    """An `-x vaccine.…` option is unknown or has a value that does not fit."""

    code = "option"
    exit_status = 2


class LockTimeoutError(OperationError):
    """A lock was not to be had within all bounded tries; nothing half-done stays."""

    code = "lock-timeout"


class BlockedError(OperationError):
    """The index build waited for another session longer than its budget; it was cancelled and cleaned up."""

    code = "blocked"


class BusyError(OperationError):
    """Another run is at work on the same table; this one has changed nothing."""

    code = "busy"


class BuildError(OperationError):
    """The unique index could not be built within the allowed number of builds."""

    code = "build"


class VerifyError(OperationError):
    """The end state is not what it must be."""

    code = "verify"


class RestoreError(OperationError):
    """The journal cannot restore: its table was changed in a way that loses the old image."""

    code = "restore"
