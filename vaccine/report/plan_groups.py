"""Duplicate groups side by side: the row that stays, those that go, and the columns in which they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from vaccine.plan.groups import BY_HAND
from vaccine.plan.model import DuplicateGroup, Member, Vaccination
from vaccine.report.layout import CELL, clipped, columns, wrapped
from vaccine.text import one_line

ROWS_SHOWN = 6
KEY = 60  # characters of a key's value
INDENT = "   "


def group_lines(of: Vaccination, width: int) -> Iterator[str]:
    """Each group's key and rows, in columns as wide as fits; groups that differ in the same columns share a head."""
    for differs, alike in groupby(of.groups, lambda group: group.differs):
        yield from _table(list(alike), _by_weight(differs, of.survivor), of, width)


def _table(groups: Sequence[DuplicateGroup], differs: list[str], of: Vaccination, width: int) -> Iterator[str]:
    head = ["", *of.primary_key, *differs]
    rows = [head]
    for group in groups:
        places = [group.differs.index(name) for name in differs]
        rows += [_row("resolve" if number else "keep", each, places) for number, each in enumerate(_shown(group))]
    named = 1 + len(of.primary_key)  # a primary key is copied into --keep: it is not cut short
    cells = [[clipped(cell, KEY if place < named else CELL) for place, cell in enumerate(row)] for row in rows]
    lines, fit = columns(cells, width, INDENT + "  ", 2)
    rest = iter(lines)
    yield next(rest)
    for group in groups:
        key = ", ".join(f"{name} = {clipped(value, KEY)}" for name, value in zip(of.columns, group.key, strict=True))
        yield from wrapped(key + ("  (kept by hand)" if group.reason == BY_HAND else ""), width, INDENT)
        shown = _shown(group)
        yield from (next(rest) for _ in shown)
        if hidden := len(group.excess) + 1 - len(shown) + group.left_out:
            yield f"{INDENT}  … and {hidden:,} more to resolve"
    if head[fit:]:
        yield _unseen(head[fit:], width)


def _shown(group: DuplicateGroup) -> list[Member]:
    return [group.survivor, *group.excess[: ROWS_SHOWN - 1]]


def _row(mark: str, of: Member, places: list[int]) -> list[str]:
    values = [of.values[place] for place in places]
    return [mark, *of.primary_key, *("NULL" if value is None else value for value in values)]


def _unseen(names: list[str], width: int) -> str:
    """The other columns that differ, on one line: as many as fit by name, the rest by number."""
    shown = list(names)
    while len(line := _listed(shown, len(names) - len(shown))) > width and len(shown) > 1:
        shown.pop()
    return line


def _listed(names: list[str], more: int) -> str:
    return f"{INDENT}  also differ: {one_line(', '.join(names))}" + (f" and {more:,} more" if more else "")


def _by_weight(differs: Sequence[str], survivor: Sequence[str]) -> list[str]:
    """The columns that differ, those first that the survivor order names."""
    order = " ".join(survivor)
    return sorted(differs, key=lambda name: name not in order)
