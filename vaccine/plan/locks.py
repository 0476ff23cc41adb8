"""PostgreSQL's table lock modes and what each blocks (manual, section 13.3.1, table 13.2; the same in 13 to 18)."""

from __future__ import annotations

from enum import StrEnum


class LockMode(StrEnum):
    """A table-level lock mode, weakest first."""

    ACCESS_SHARE = "ACCESS SHARE"
    ROW_SHARE = "ROW SHARE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    EXCLUSIVE = "EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

    def conflicts(self, other: LockMode) -> bool:
        """Whether two sessions cannot hold the two modes on one table at once."""
        return other in CONFLICTS[self]

    @property
    def blocks(self) -> str:
        """In words, what other sessions cannot do on the table while the lock is held."""
        if self.conflicts(LockMode.ACCESS_SHARE):
            return "blocks all reads and writes"
        if self.conflicts(LockMode.ROW_EXCLUSIVE):
            return "blocks writes, not reads"
        if self.conflicts(LockMode.SHARE_UPDATE_EXCLUSIVE):
            return "blocks neither reads nor writes; VACUUM, ANALYZE and DDL wait"
        return "blocks neither reads nor writes"


M = LockMode
_ALL = tuple(LockMode)
CONFLICTS: dict[LockMode, frozenset[LockMode]] = {
    M.ACCESS_SHARE: frozenset({M.ACCESS_EXCLUSIVE}),
    M.ROW_SHARE: frozenset({M.EXCLUSIVE, M.ACCESS_EXCLUSIVE}),
    M.ROW_EXCLUSIVE: frozenset({M.SHARE, M.SHARE_ROW_EXCLUSIVE, M.EXCLUSIVE, M.ACCESS_EXCLUSIVE}),
    M.SHARE_UPDATE_EXCLUSIVE: frozenset(_ALL[3:]),
    M.SHARE: frozenset({M.ROW_EXCLUSIVE, M.SHARE_UPDATE_EXCLUSIVE, *_ALL[5:]}),
    M.SHARE_ROW_EXCLUSIVE: frozenset(_ALL[2:]),
    M.EXCLUSIVE: frozenset(_ALL[1:]),
    M.ACCESS_EXCLUSIVE: frozenset(_ALL),
}
