"""Lines of prose and of columns that fit a width, for people; no line ends with blanks."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from vaccine.text import one_line

CELL = 30  # characters of a value in a column


def wrapped(text: str, width: int, first: str = "", hang: str | None = None) -> list[str]:
    """Prose on lines of at most `width` columns: `first` before it, `hang` before each further line."""
    rest = " " * len(first) if hang is None else hang
    return textwrap.wrap(
        one_line(text), max(width, 40), initial_indent=first, subsequent_indent=rest,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def labelled(label: str, text: str, width: int, indent: str = "   ", room: int = 12) -> list[str]:
    """A label, and prose beside it."""
    return wrapped(text, width, f"{indent}{label:<{room}}", " " * (len(indent) + room))


def clipped(text: str | None, room: int = CELL) -> str:
    """A value on one line, cut where it is longer."""
    shown = "NULL" if text is None else one_line(text)
    return shown if len(shown) <= room else shown[: room - 1] + "…"


def columns(rows: Sequence[Sequence[str]], width: int, indent: str, least: int) -> tuple[list[str], int]:
    """The rows in columns that fit, and how many of the columns did; `least` are always there."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    fit, used = 0, len(indent)
    for each in widths:
        used += each + 2
        if fit >= least and used - 2 > width:
            break
        fit += 1
    lines = ["  ".join(f"{cell:<{room}}" for cell, room in zip(row[:fit], widths, strict=False)) for row in rows]
    return [f"{indent}{line}".rstrip() for line in lines], fit


def stripped(lines: Iterable[str]) -> Iterator[str]:
    """Without blanks at their ends."""
    return (line.rstrip() for line in lines)
