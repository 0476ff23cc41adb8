"""What a vaccination would do, as frozen data: made by the planner, printed, kept in plan.json, turned into a revision.

Sizes are in bytes, times in milliseconds, as the names say. SQL is text ready to run.
"""

from __future__ import annotations

from dataclasses import dataclass

from vaccine.audit.finding import Assignment
from vaccine.operations.dry import Approved
from vaccine.plan.locks import LockMode


@dataclass(frozen=True)
class Member:
    """One row of a duplicate group: its primary key and the values that decide, as PostgreSQL prints them."""

    primary_key: tuple[str, ...]
    order: tuple[str | None, ...]  # one value for each expression of the survivor order
    values: tuple[str | None, ...] = ()  # those of the group's `differs`, long ones cut


@dataclass(frozen=True)
class DuplicateGroup:
    """One duplicate group: the survivor, the excess rows, and why the survivor stays."""

    key: tuple[str, ...]
    survivor: Member
    excess: tuple[Member, ...]
    reason: str
    differs: tuple[str, ...] = ()  # columns in which the rows are not the same
    left_out: int = 0  # excess rows of the group that are not listed here


@dataclass(frozen=True)
class Statement:
    """One SQL statement, the lock that it takes on the table, and how often it runs."""

    sql: str
    lock: LockMode
    note: str = ""


@dataclass(frozen=True)
class Step:
    """One step of the upgrade or the downgrade."""

    title: str
    statements: tuple[Statement, ...]
    note: str = ""


@dataclass(frozen=True)
class Hazard:
    """Something that the DBA must know before saying yes. `blocking` ones make the revision impossible."""

    code: str
    text: str
    fix: str = ""
    blocking: bool = False


@dataclass(frozen=True)
class Estimate:
    """How long and how much; each figure says in `basis` what it was reckoned from."""

    dedupe_ms: int
    index_ms: int
    restore_ms: int
    journal_bytes: int
    index_bytes: int
    wal_bytes: int
    table_bytes: int
    basis: tuple[str, ...] = ()
    tablespace: str = "pg_default"  # of index and journal; how much is free there, SQL cannot tell


@dataclass(frozen=True)
class Fingerprint:
    """What the plan saw; `revision` and the upgrade's preflight compare it with what is there then."""

    shape: str  # digest of columns, types, primary key, indexes and triggers
    groups: int
    excess_rows: int
    rows: Approved = ()  # the excess rows, each beside its survivor: what the upgrade compares


@dataclass(frozen=True)
class Vaccination:
    """One key to be guarded."""

    schema: str
    table: str
    columns: tuple[str, ...]
    where: str | None
    index_name: str
    survivor: tuple[str, ...]
    assign: Assignment
    keep: tuple[tuple[str, ...], ...]
    max_rows: int
    gate: str
    primary_key: tuple[str, ...]
    priority: str
    reasons: tuple[str, ...]
    rows: int | None
    distinct: int | None
    groups: tuple[DuplicateGroup, ...]  # the first few; `fingerprint` counts them all
    up: tuple[Step, ...]
    down: tuple[Step, ...]
    hazards: tuple[Hazard, ...]
    estimate: Estimate
    afterwards: tuple[str, ...]
    fingerprint: Fingerprint
    after: tuple[str, ...] = ()  # indexes of earlier vaccinations of the plan, whose rows are resolved by then

    @property
    def blocked(self) -> tuple[Hazard, ...]:
        """The hazards that make it impossible as things are."""
        return tuple(hazard for hazard in self.hazards if hazard.blocking)


@dataclass(frozen=True)
class Plan:
    """All vaccinations of one dry run. `id` is the digest's first eight digits."""

    id: str
    made_at: str  # ISO 8601, UTC
    vaccine_version: str
    server_version: str
    database: str
    role: str
    vaccinations: tuple[Vaccination, ...]
    notes: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[Vaccination, ...]:
        """The vaccinations that can become revisions: those that nothing blocks."""
        return tuple(each for each in self.vaccinations if not each.blocked)
