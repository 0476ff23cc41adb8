"""Edits of a text by character offsets, and where new imports and helpers go."""

from __future__ import annotations

import re
from dataclasses import dataclass


class NotSafe(Exception):  # noqa: N818  not an error of the user: the reason why a patch leaves a writer out
    """This writer is left to the hand; the message says why."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace text[start:end]."""

    start: int
    end: int
    text: str


def apply(text: str, edits: list[Edit]) -> str:
    """The text with all edits; the same insertion asked for twice is made once."""
    for edit in sorted(set(edits), key=lambda edit: (edit.start, edit.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def after_imports(text: str, language: str) -> int:
    """The offset of the first line after the imports (or the shebang and `set` lines of a script)."""
    patterns = {
        "python": r"^(?:from\s+\S+\s+import\s+(?:\([^)]*\)|[^\n]*)|import\s+[^\n]*)\n",
        "bash": r"\A#![^\n]*\n(?:(?:#[^\n]*|set\s[^\n]*|\s*)\n)*",
    }
    default = (
        r"^(?:import\s[^;\n]*(?:\{[^}]*\}[^;\n]*)?;?|(?:const|let|var)\s[^=\n]*=\s*require\([^\n]*"
        r"|['\"]use strict['\"];?)\n"
    )
    ends = [match.end() for match in re.finditer(patterns.get(language, default), text, re.MULTILINE)]
    if ends:
        return ends[-1]
    docstring = re.match(r'(?:#[^\n]*\n)*\s*("""|\'\'\')', text) if language == "python" else None
    if docstring is not None:
        end = text.find(docstring.group(1), docstring.end())
        return text.find("\n", end) + 1
    shebang = re.match(r"#![^\n]*\n", text)
    return shebang.end() if shebang else 0


def indent_of(text: str, offset: int) -> str:
    """The blanks that begin the line of an offset."""
    start = text.rfind("\n", 0, offset) + 1
    return re.match(r"[ \t]*", text[start:]).group()  # type: ignore[union-attr]
