"""Names and values are hostile: escape sequences, C1 controls, bidirectional overrides, line ends, ten megabytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

LINE = 4000  # characters of a line of a message


def printable(text: str) -> str:
    """The text with every character escaped that does not print, but for line feeds and tabs."""
    return re.sub(r"[^\n\t]+", lambda found: one_line(found[0]), text)


def one_line(text: str) -> str:
    """The text on one line, every character escaped that does not print."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def cut(text: str, most: int, characters: int = 0) -> str:
    """At most so many characters of it, and how many there are; `characters` where it was cut before."""
    return text if len(text) <= most else f"{text[:most]}… ({max(len(text), characters):,} characters)"


def json_text(document: Any, *, indent: int = 2, default: Callable[[Any], Any] | None = None) -> str:
    """JSON that a person can read: only what does not print is escaped."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, default=default)
    # What does not print stands within strings only, the line ends between values aside.
    return re.sub(r"[^\n\x20-\x7e]+", lambda found: "".join(map(_escaped, found[0])), text)


def _escaped(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]
