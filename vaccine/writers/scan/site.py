"""What one file holds before the look-ups are joined to the writes."""

from __future__ import annotations

from dataclasses import dataclass

from vaccine.writers.model import Conflict, Kind, Span, TableName


@dataclass
class Site:
    """One write or look-up; `start` and `end` are character offsets in the file."""

    kind: Kind
    table: TableName
    start: int
    end: int
    library: str
    rule: str
    confidence: float
    columns: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    conflict: Conflict | None = None
    handles: str = ""
    returning: bool = False
    spans: tuple[Span, ...] = ()
    inner: tuple[Site, ...] = ()  # look-ups inside the write itself: INSERT … WHERE NOT EXISTS
    single: bool = True  # a look-up that asks for one row, as far as the code shows
