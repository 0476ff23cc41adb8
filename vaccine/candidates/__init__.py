"""Candidate keys: which columns of which tables an application may look a row up by. No database here.

`candidate_keys(catalog)` reads structure only: names, types, foreign keys, indexes, sibling tables.
Whether a candidate is guarded, and what its rows say, is judged later.
"""

from __future__ import annotations

from vaccine.candidates.model import SHOWN_AT, CandidateKey, KeyHint
from vaccine.candidates.score import FLOOR, candidate_keys

__all__ = [
    "FLOOR",
    "SHOWN_AT",
    "CandidateKey",
    "KeyHint",
    "candidate_keys",
]
