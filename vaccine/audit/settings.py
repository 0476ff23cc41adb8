"""What an audit is asked to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import psycopg

from vaccine.audit.lifecycle import Override
from vaccine.audit.workers import AuditProgress
from vaccine.candidates import SHOWN_AT

Key = tuple[str, str, tuple[str, ...]]  # schema, table, columns


@dataclass(frozen=True)
class AuditSettings:
    """What to look at and how hard.

    Attributes:
        schemas: only these; empty means all.
        exclude: patterns of `schema.table` or `schema.table.column` to leave out (`*` and `?`).
        data: False reads structure only.
        min_score: weaker candidates are left out.
        budget_s: seconds for reading rows, in all; None is no limit.
        table_s: seconds that one statement may take.
        jobs: how many tables to read at once; needs `connect` when above 1.
        connect: opens another connection to the same database.
        source: folders of source code whose writers count.
        overrides: what a person says of a key's lifecycle, by (schema, table, columns).
        accepted: why a key's finding is accepted, by (schema, table, columns).
        expired: keys whose acceptance has ended, and its last day.
        progress: called after each table.
    """

    schemas: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    data: bool = True
    min_score: float = SHOWN_AT
    with_frameworks: bool = False
    budget_s: float | None = None
    table_s: float = 60.0
    jobs: int = 1
    connect: Callable[[], psycopg.Connection] | None = None
    source: tuple[Path, ...] = ()
    overrides: Mapping[Key, Override] = field(default_factory=dict)
    accepted: Mapping[Key, str] = field(default_factory=dict)
    expired: Mapping[Key, date] = field(default_factory=dict)
    progress: Callable[[AuditProgress], None] | None = None
