"""Writers in source code: who inserts into a table, how it meets a conflict, and the fix for each.

`scan` reads source trees; it needs the extra `writers` (ast-grep-py, sqlglot) and no database.
"""

from __future__ import annotations

from vaccine.writers.check import fingerprint, new_racing, racing
from vaccine.writers.evidence import as_evidence, by_table, failing_on_the_day
from vaccine.writers.model import KeySpec, Kind, SourceWriter, SourceWriters, Verdict
from vaccine.writers.scanner import scan
from vaccine.writers.verdict import judge

__all__ = [
    "KeySpec",
    "Kind",
    "SourceWriter",
    "SourceWriters",
    "Verdict",
    "as_evidence",
    "by_table",
    "failing_on_the_day",
    "fingerprint",
    "judge",
    "new_racing",
    "racing",
    "scan",
]
