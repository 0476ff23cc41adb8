"""Safe fixes as a unified diff that `git apply` takes. What is not safe is left out, with the reason.

Safe are: SQL in files and strings (the ON CONFLICT clause added or made to fit), SQLAlchemy's
`session.add` and `insert`, and POSTs to Directus through requests, httpx, fetch, axios and curl.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from vaccine.writers.fix import patch_http, patch_sql, patch_sqlalchemy
from vaccine.writers.fix.edit import Edit, NotSafe, apply
from vaccine.writers.model import SourceWriter, SourceWriters

HTTP = frozenset({"requests", "fetch", "axios", "curl"})


@dataclass
class Patch:
    """The diff, how many writers it fixes, and why the others are left out."""

    text: str = ""
    patched: int = 0
    left_out: list[str] = field(default_factory=list)


def patch(found: SourceWriters) -> Patch:
    """The diff for all failing writers, over the files as they are on disk now."""
    result = Patch()
    by_file: dict[str, list[SourceWriter]] = defaultdict(list)
    for writer in found.failing:
        by_file[writer.file].append(writer)
    for file, writers in sorted(by_file.items()):
        if not file.isprintable() or set(file) & set('"\\'):
            result.left_out.append(f"{file!r}: not patched, no diff names such a file in one line")
            continue
        result.text += _file(file, writers, result)
    return result


def _file(file: str, writers: list[SourceWriter], result: Patch) -> str:
    with Path(file).open(encoding="utf-8", newline="") as stream:
        old = stream.read()
    edits: list[Edit] = []
    taken: set[tuple[int, int]] = set()
    for writer in writers:
        try:
            new = _edits(writer, old)
            if any((edit.start, edit.end) in taken for edit in new if edit.end > edit.start):
                raise NotSafe("another key's fix already changes this place")
        except NotSafe as reason:
            result.left_out.append(f"{writer.place}: not patched, {reason}")
            continue
        taken |= {(edit.start, edit.end) for edit in new}
        edits += new
        result.patched += 1
    return _diff(file, old, apply(old, edits)) if edits else ""


def _edits(writer: SourceWriter, text: str) -> list[Edit]:
    if writer.key is None or writer.key.index is None:
        raise NotSafe("no index is planned for its key")
    if writer.library in HTTP:
        return patch_http.edits(writer, text)
    if writer.library in {"SQL", "psql"}:
        return patch_sql.edits(writer, text)
    if writer.library == "SQLAlchemy":
        return patch_sqlalchemy.edits(writer, text)
    raise NotSafe(f"there is no safe patch for {writer.library}")


def _diff(file: str, old: str, new: str) -> str:
    """Lines end at a line feed alone, as for git; a last line without one is marked."""
    name = re.sub(r"^(\./)+|^/+", "", Path(file).as_posix())
    lines = difflib.unified_diff(
        re.findall(r"[^\n]*\n|[^\n]+", old), re.findall(r"[^\n]*\n|[^\n]+", new), f"a/{name}", f"b/{name}"
    )
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
