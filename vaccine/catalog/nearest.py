"""The name that was meant: for messages about one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

MOST = 3
CLOSE = 0.6  # as difflib's own
AS_CLOSE = 0.15  # what is further behind the nearest was not meant


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean tasks, task?`, the nearest first; empty where nothing is near. Case counts little."""
    folded = name.casefold()
    rated = [(SequenceMatcher(None, folded, each.casefold()).ratio(), each) for each in set(known)]
    least = max([CLOSE, *(ratio - AS_CLOSE for ratio, _ in rated)])
    near = sorted((one for one in rated if one[0] >= least), key=lambda one: (-one[0], one[1]))
    return f"did you mean {' or '.join(each for _, each in near[:MOST])}?" if near else ""


def way_out(name: str, known: Iterable[str], otherwise: str) -> str:
    """What was meant, where something is near, and else what helps to find out."""
    meant = did_you_mean(name, known)
    return f"{meant} Else {otherwise}" if meant else otherwise
