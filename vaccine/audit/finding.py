"""A finding: one logical key, what guards it or does not, and how much that matters. Frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Scalar = str | int | float | bool | None


class Priority(StrEnum):
    """How much a finding matters; the last three are not defects. What is to be decided may be worse than LOW."""

    HIGH = "high"
    MEDIUM = "medium"
    DECIDE = "decide"
    LOW = "low"
    GUARDED = "guarded"
    INTENTIONAL = "intentional"
    LOG = "log"


DEFECTS = (Priority.HIGH, Priority.MEDIUM, Priority.DECIDE, Priority.LOW)


@dataclass(frozen=True, slots=True)
class Expression:
    """An SQL expression, where a plain value will not do: `now()` for `deleted_at`."""

    sql: str


Assignment = tuple[tuple[str, Scalar | Expression], ...]


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What neither structure nor rows can tell: a person decides.

    `about` is the part of a plan that hangs on it: `where`, `assign`, `survivor` or `max-rows`. `options` are the very
    options of `vaccine plan` that settle it.
    """

    about: str
    text: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Which rows of a table are live, how a row is retired, and which row of a group stays.

    `predicate` is SQL over the table's columns (`status = 'open'`), without the key's own
    IS NOT NULL. `assign` retires a row: column and value; empty when no way is known.
    `survivor` is the ORDER BY that puts the row to keep first, in SQL with quoted names.
    """

    predicate: str | None
    columns: tuple[str, ...] = ()
    assign: Assignment = ()
    survivor: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    questions: tuple[OpenQuestion, ...] = ()


@dataclass(frozen=True, slots=True)
class Writer:
    """Somebody who inserts into the table, as the database or the source code shows.

    `kind` is where it was seen: statistics, function, flow, statement, role, activity, source.
    `place` is `file:line` for source code, else a name in the database.
    """

    kind: str
    name: str
    place: str = ""
    columns: tuple[str, ...] = ()
    verdict: str = ""  # writers.verdict.Verdict, where it is known
    confidence: float = 0.0
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One logical key and the judgement of it. None means that it was not measured; `unknowns` says why."""

    schema: str
    table: str
    columns: tuple[str, ...]
    predicate: str | None
    priority: Priority
    score: float
    reasons: tuple[str, ...] = ()
    rows: int | None = None
    distinct: int | None = None
    live_duplicate_groups: int | None = None
    live_excess_rows: int | None = None
    guarded_by: tuple[str, ...] = ()
    writers: tuple[Writer, ...] = ()
    unknowns: tuple[str, ...] = ()
    lifecycle: Lifecycle | None = None
    siblings: tuple[str, ...] = ()  # indexes of other tables that guard the same key as it should be
    details: tuple[tuple[str, object], ...] = ()  # further evidence for reports, JSON-able
    accepted: str | None = None  # why a person accepted it, from the configuration
