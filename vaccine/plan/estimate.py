"""How long and how much, reckoned from what this very server just did. Pure; every figure names its basis."""

from __future__ import annotations

from dataclasses import dataclass

from vaccine.operations.dry import need
from vaccine.plan.groups import Counted
from vaccine.plan.model import Estimate
from vaccine.plan.target import Target

RESOLVED_PER_SECOND = 70_000  # docs/benchmarks.md: rows journalled, resolved and committed in batches
RESTORE_SHARE = 0.5  # of the time of the dedupe, docs/benchmarks.md
BUILD_PASSES = 2  # a concurrent build reads the table twice (manual, CREATE INDEX, Building Indexes Concurrently)


@dataclass(frozen=True)
class Sizes:
    """What the sizes are reckoned from: live rows, the average widths in bytes of a row and of a key, images a row."""

    live_rows: int
    row_width: int
    key_width: int
    images: int


def estimate(target: Target, counted: Counted, sizes: Sizes, tablespace: str) -> Estimate:
    """Times in milliseconds and sizes in bytes of one vaccination on a quiet server."""
    dedupe_ms = (
        round(counted.excess_rows / RESOLVED_PER_SECOND * 1000) + counted.search_ms if counted.excess_rows else 0
    )
    bytes_of = need(counted.excess_rows, sizes.row_width, max(sizes.live_rows, 1), sizes.key_width, sizes.images)
    return Estimate(
        dedupe_ms=dedupe_ms,
        index_ms=max(BUILD_PASSES * counted.search_ms, 10),
        restore_ms=round(dedupe_ms * RESTORE_SHARE),
        journal_bytes=bytes_of.journal,
        index_bytes=bytes_of.index,
        wal_bytes=bytes_of.wal,
        table_bytes=target.table_bytes,
        tablespace=tablespace,
        basis=(
            f"a search took {counted.search_ms} ms",
            f"{RESOLVED_PER_SECOND:,} rows a second as in docs/benchmarks.md",
            "waits come on top",
        ),
    )
