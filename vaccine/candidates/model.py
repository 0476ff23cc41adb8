"""A candidate key, and the evidence from outside the catalog that can speak for one. Frozen data."""

from __future__ import annotations

from dataclasses import dataclass

SHOWN_AT = 0.5  # candidates at or above this score are shown without being asked for


@dataclass(frozen=True, slots=True)
class CandidateKey:
    """Columns by which an application may find "the same" row, before any data was looked at.

    `predicate` is SQL with quoted names, or None when all rows count; the key's own IS NOT NULL
    is not part of it. `score` ranks: 0 to 1, about the share of such keys that are real.
    `reasons` are sentences, the strongest first.
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    predicate: str | None
    score: float
    reasons: tuple[str, ...] = ()
    looked_up: bool = False  # statements, functions or source look rows up by it


@dataclass(frozen=True, slots=True)
class KeyHint:
    """Evidence for a key that the catalog does not hold: a lookup, a function, a setting of a framework.

    `source` is where it was seen: statements, function, directus, source. `weight` is added to the
    score's log-odds: 1 is a nudge, 3 nearly proof, below 0 speaks against. `reason` is the sentence to show.
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    source: str
    weight: float
    reason: str
