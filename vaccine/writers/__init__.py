"""Writers in source code: who inserts into a table, how it meets a conflict, and the fix for each.

`scanner.scan` reads source trees; it needs the extra `writers` (ast-grep-py, sqlglot) and no database.
"""

from __future__ import annotations

from vaccine.writers.check import fingerprint, new_racing, racing
from vaccine.writers.judge import judge
from vaccine.writers.model import KeySpec, Kind, SourceWriter, SourceWriters, Verdict

__all__ = [
    "KeySpec",
    "Kind",
    "SourceWriter",
    "SourceWriters",
    "Verdict",
    "fingerprint",
    "judge",
    "new_racing",
    "racing",
]
