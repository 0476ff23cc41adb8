"""How long and how much, reckoned from what this very server just did. Pure; every figure names its basis."""

from __future__ import annotations

from dataclasses import dataclass

from vaccine.plan import Estimate
from vaccine.planner.groups import Counted
from vaccine.planner.target import Target

RESOLVED_PER_SECOND = 40_000  # docs/benchmarks.md: rows journalled, resolved and committed in batches
RESTORE_SHARE = 0.6  # of the time of the dedupe, docs/benchmarks.md
BUILD_PASSES = 2  # a concurrent build reads the table twice (manual, CREATE INDEX, Building Indexes Concurrently)
ENTRY_OVERHEAD = 16  # bytes of an index entry beside its key: header, line pointer, alignment
FILL = 0.9  # the default fillfactor of a B-tree
ROW_OVERHEAD = 60  # bytes of a journal row beside the two images: header and our own columns
WAL_PER_ROW = 4  # times a row's width: the journal's two images, the new row version, the index entries


@dataclass(frozen=True)
class Sizes:
    """What the sizes are reckoned from: live rows, and the average widths in bytes of a row and of a key."""

    live_rows: int
    row_width: int
    key_width: int


def estimate(target: Target, counted: Counted, sizes: Sizes) -> Estimate:
    """Times in milliseconds and sizes in bytes of one vaccination on a quiet server."""
    dedupe_ms = (
        round(counted.excess_rows / RESOLVED_PER_SECOND * 1000) + counted.search_ms if counted.excess_rows else 0
    )
    index_bytes = round(sizes.live_rows * (sizes.key_width + ENTRY_OVERHEAD) / FILL) + 2 * 8192
    journal_bytes = counted.excess_rows * (2 * sizes.row_width + ROW_OVERHEAD)
    return Estimate(
        dedupe_ms=dedupe_ms,
        index_ms=max(BUILD_PASSES * counted.search_ms, 10),
        restore_ms=round(dedupe_ms * RESTORE_SHARE),
        journal_bytes=journal_bytes,
        index_bytes=index_bytes,
        wal_bytes=counted.excess_rows * sizes.row_width * WAL_PER_ROW + index_bytes,
        table_bytes=target.table_bytes,
        basis=(
            f"the duplicates were found in {counted.search_ms} ms just now; a concurrent build reads the table twice",
            f"{RESOLVED_PER_SECOND:,} rows a second for the dedupe, as measured in docs/benchmarks.md",
            "waiting for other sessions, pauses and other load come on top",
        ),
    )
