"""Catalog → candidate keys, best first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..catalog import Catalog, Table
from .model import CandidateKey, KeyHint

_NAMES = {"path": 0.6, "slug": 0.8, "code": 0.6, "source_id": 0.6, "hash": 0.6, "key": 0.6, "file_path": 0.6}
_SUFFIXES = {"_hash": 0.55, "_key": 0.5, "_code": 0.5, "_slug": 0.6, "_uid": 0.55, "_path": 0.5}


def candidate_keys(catalog: Catalog, hints: Sequence[KeyHint] = ()) -> tuple[CandidateKey, ...]:
    """The candidate keys of all tables, best first; `hints` are evidence from outside the catalog."""
    found = {(key.schema, key.table, key.columns): key for table in catalog.tables for key in _by_name(table)}
    for hint in hints:
        table = catalog.by_name.get((hint.schema, hint.table))
        if table is None or not all(column in table.by_name for column in hint.columns):
            continue
        spot = (hint.schema, hint.table, hint.columns)
        known = found.get(spot)
        score = min(1.0, (known.score if known else 0.3) + hint.weight / 5)
        reasons = (*(known.reasons if known else ()), hint.reason)
        found[spot] = CandidateKey(*spot, None, score, reasons)
    return tuple(sorted(found.values(), key=lambda key: (-key.score, key.schema, key.table, key.columns)))


def _by_name(table: Table) -> Iterator[CandidateKey]:
    for column in table.columns:
        if table.primary_key == (column.name,):
            continue
        score = _NAMES.get(column.name) or next(
            (score for suffix, score in _SUFFIXES.items() if column.name.endswith(suffix)), None
        )
        if score is None and column.name == "dimension":
            score = 0.5
        if score is not None:
            reason = f"named {column.name}, as columns that applications look rows up by"
            yield CandidateKey(table.schema, table.name, (column.name,), None, score, (reason,))
