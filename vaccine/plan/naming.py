"""The name of the new index: what it guards, in 63 bytes."""

from __future__ import annotations

import hashlib
import re

LIMIT = 63  # NAMEDATALEN - 1 (manual, section 4.1.1)
LITERAL = re.compile(r"'((?:[^']|'')+)'")
WORD = re.compile(r"[^\w]+", re.UNICODE)


def index_name(table: str, columns: tuple[str, ...], where: str | None) -> str:
    """`uq_<table>_<which rows>_<columns>`, shortened with a digest where it would pass 63 bytes."""
    parts = ["uq", table, *_rows(where, columns), *columns]
    name = "_".join(filter(None, (WORD.sub("_", part).strip("_").lower() for part in parts)))
    if len(name.encode()) <= LIMIT:
        return name
    digest = hashlib.sha256("\0".join([table, *columns, where or ""]).encode()).hexdigest()[:8]
    return name.encode()[: LIMIT - 9].decode(errors="ignore").rstrip("_") + "_" + digest


def _rows(where: str | None, columns: tuple[str, ...]) -> list[str]:
    """A word for the rows that the predicate chooses; nothing where it only leaves NULL keys out."""
    if not where:
        return []
    literals = LITERAL.findall(where)
    if literals and len(literals) <= 2:
        return [word.replace("''", "_") for word in literals]
    rest = where
    for column in columns:
        rest = re.sub(rf'"?{re.escape(column)}"?\s+IS\s+NOT\s+NULL', "", rest, flags=re.IGNORECASE)
    return ["live"] if re.search(r"[A-Za-z_]", re.sub(r"\b(AND|OR)\b", "", rest, flags=re.IGNORECASE)) else []
