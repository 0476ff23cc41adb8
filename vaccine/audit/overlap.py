"""Keys of one table of which one holds the other: a person needs one of them, and a hint which. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from vaccine.audit.finding import DEFECTS, Finding, Priority

WAY_OF_LIFE = 0.15  # from this share of excess rows on a key repeats by habit, not by accident
SCOPE = re.compile(
    r"_id$|(^|_)(tenant|org|organi[sz]ation|account|workspace|project|team|company|site|shop|store|locale|lang|language|"
    r"country|country_code|region|type|kind|category|year|scope|namespace|env|environment|source|provider|day|date)$"
)

Key = tuple[str, str, tuple[str, ...]]


def untangled(findings: Iterable[Finding], asked: Collection[Key] = ()) -> list[Finding]:
    """The findings without those that another one of the table makes superfluous.

    Only what rows have shown counts: of two keys with the same damage, or none, the better candidate stays; a key that
    repeats in many rows, but not within a scope, is not the key: the scoped one is.
    `asked` are keys that a person named: they stay.
    """
    by_table: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        by_table[finding.schema, finding.table].append(finding)
    return [
        kept
        for of in by_table.values()
        for finding in of
        for kept in [finding if len(of) == 1 or _key(finding) in asked or _begun(finding) else _beside(finding, of)]
        if kept is not None
    ]


def _beside(finding: Finding, others: Sequence[Finding]) -> Finding | None:
    """The finding as the others of its table leave it; None when one of them says the same better."""
    if not _counted(finding):
        return finding
    columns = set(finding.columns)
    for other in others:
        if not _counted(other) or _live(finding) != _live(other):
            continue
        if set(other.columns) < columns and _same_damage(finding, other) and finding.score <= other.score:
            return None
        if columns < set(other.columns):
            if _same_damage(finding, other) and finding.score < other.score:
                return None
            if _excess(finding) and not _excess(other) and all(map(SCOPE.search, set(other.columns) - columns)):
                return _scoped(finding, other)
    return finding


def _same_damage(finding: Finding, other: Finding) -> bool:
    return _excess(finding) == _excess(other)


def _excess(finding: Finding) -> int:
    """The live rows too many, without those whose key stands for no value."""
    details: dict[str, Any] = dict(finding.details)
    return (finding.live_excess_rows or 0) - int(details.get("placeholder_excess_rows") or 0)


def _scoped(finding: Finding, within: Finding) -> Finding:
    scope = ", ".join(name for name in within.columns if name not in finding.columns)
    reason = f"no value repeats within one {scope}: ({', '.join(within.columns)}) may be the key"
    many = _excess(finding) > WAY_OF_LIFE * (finding.rows or 0)
    if many and within.score >= finding.score:
        return replace(finding, priority=Priority.INTENTIONAL, reasons=(reason, *finding.reasons))
    return replace(finding, reasons=(*finding.reasons[:1], reason, *finding.reasons[1:]))


def _begun(finding: Finding) -> bool:
    """Whether somebody began to build an index for the key."""
    return "invalid_indexes" in dict(finding.details)


def _live(finding: Finding) -> str | None:
    return finding.lifecycle.predicate if finding.lifecycle else None


def _counted(finding: Finding) -> bool:
    return finding.priority in DEFECTS and bool(finding.rows) and finding.live_excess_rows is not None


def _key(finding: Finding) -> Key:
    return finding.schema, finding.table, finding.columns
