"""For `vaccine check --source`: writers that race, and those that a baseline does not know yet."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import PurePath

from vaccine.writers.model import SourceWriter, SourceWriters, Verdict


def fingerprint(writer: SourceWriter) -> str:
    """16 hex digits that stay when lines move: the file's last two names, function, table, key and rule."""
    place = "/".join(PurePath(writer.file).parts[-2:])
    columns = ",".join(sorted(writer.found_by))
    words = (place, writer.scope, writer.table.schema or "", writer.table.name, columns, writer.rule)
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


def racing(found: SourceWriters, *, confidence: float = 0.5) -> tuple[SourceWriter, ...]:
    """The writers that look first and insert then, or write around the safe writer, meeting no conflict."""
    verdicts = {Verdict.FIND_THEN_INSERT, Verdict.BYPASSES}
    return tuple(one for one in found.writers if one.verdict in verdicts and one.confidence >= confidence)


def new_racing(found: SourceWriters, accepted: Collection[str]) -> tuple[SourceWriter, ...]:
    """The racing writers whose fingerprint is not among `accepted` (a baseline's)."""
    return tuple(one for one in racing(found) if fingerprint(one) not in accepted)
