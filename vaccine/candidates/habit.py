"""How a database indexes its keys: estimated from its own likely keys, for nobody says so in the catalog."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

INDEXED, NOT_INDEXED = "keys indexed", "keys not indexed"
_SHARES = tuple(0.02 + 0.04 * step for step in range(25))  # the shares of indexed keys that are tried
_CONSIDERED = -3.5  # log-odds from which a candidate is listened to
_HARDLY = 0.25  # below this chance of being a key, a candidate tells how often other columns are indexed
_AT_LEAST, _CLEARLY = 0.25, 3.0  # share and log-likelihood from which the keys count as indexed


def keys_indexed(candidates: Iterable[tuple[float, str, int]]) -> str:
    """INDEXED when the likely keys carry plain indexes on exactly their columns far more often than others do.

    `candidates` are (log-odds of being a key, its index feature, how many tables have it). The share of
    indexed keys is the one under which the indexes seen are the most likely.
    """
    seen: Counter[tuple[float, bool, bool]] = Counter()
    for odds, index, tables in candidates:
        one, exact = index.endswith("item"), index.startswith("EXACT")
        if odds >= _CONSIDERED and index != "guarded" and not index.endswith(" ref"):
            seen[round(1 / (1 + math.exp(-odds)), 2), exact, one] += tables
    usual = {one: _usual(seen, one=one) for one in (True, False)}

    def likelihood(share: float) -> float:
        total = 0.0
        for (chance, exact, one), tables in seen.items():
            other = usual[one]
            is_key, is_none = (share, other) if exact else (1 - share, 1 - other)
            total += tables * math.log(chance * is_key + (1 - chance) * is_none)
        return total

    tried = {share: likelihood(share) for share in _SHARES}
    best = max(tried, key=lambda share: tried[share])
    clear = tried[best] - tried[_SHARES[0]] >= _CLEARLY
    return INDEXED if best >= _AT_LEAST and clear else NOT_INDEXED


def _usual(seen: Counter[tuple[float, bool, bool]], *, one: bool) -> float:
    """The share of unlikely keys that an index stands on, single columns and others apart."""
    counts = [0, 0]
    for (chance, exact, single), tables in seen.items():
        if single == one and chance < _HARDLY:
            counts[exact] += tables
    return (counts[True] + 0.5) / (sum(counts) + 5)
