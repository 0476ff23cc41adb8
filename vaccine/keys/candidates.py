"""Catalog → candidate keys, best first: shapes, then features, then a score, then what siblings and hints add."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..catalog import Catalog, Table
from .features import features
from .generate import candidates
from .lifecycle import predicate_of
from .model import CandidateKey, KeyHint
from .place import Place, Surroundings
from .reasons import sentence
from .shapes import Names, TableShape, table_shape
from .siblings import Siblings
from .weights import BIAS, WEIGHTS

FLOOR = 0.03  # candidates below this score are dropped
_LIKELY = 0.0  # log-odds without index evidence from which a candidate teaches how this database indexes its keys
_HINTED = -1.0  # log-odds of a key that only a hint names
_AUDIT_FLOOR = 0.10  # the score that a name of the audit's own list keeps whatever the structure says
_AUDIT_NAMES = frozenset(("path", "slug", "code", "source_id", "hash", "key", "file_path", "dimension"))
_AUDIT_ENDINGS = ("_hash", "_key", "_code", "_slug")


@dataclass(slots=True)
class _Scored:
    table: Table
    columns: tuple[str, ...]
    odds: float
    found: list[str]
    said: tuple[str, ...] = ()


def candidate_keys(catalog: Catalog, hints: Sequence[KeyHint] = ()) -> tuple[CandidateKey, ...]:
    """The candidate keys of all tables, best first; `hints` are evidence from outside the catalog.

    Pure: reads nothing but its arguments. Supersets of the primary key and of an existing
    valid unique index that leaves no hole are not proposed.
    """
    shared = Counter(column.name for table in catalog.tables for column in table.columns)
    names = Names(catalog)
    shapes = [table_shape(table, names, shared) for table in catalog.tables if table.partition_of is None]
    around = Surroundings(shapes, shared)
    scored = [item for shape in shapes for item in _of_table(shape, around)]
    _judge_indexes(scored)
    siblings = Siblings(catalog)
    for item in scored:
        said = siblings.evidence(item.table, item.columns)
        if said is not None:
            item.odds = max(item.odds + said.weight, said.floor)
            item.said = (said.reason,)
    _take_hints(scored, hints, catalog)
    return _ranked(scored)


def _of_table(shape: TableShape, around: Surroundings) -> Iterator[_Scored]:
    place = Place(shape, around)
    order = {column.name: column.number for column in shape.columns}
    taken = _guarded(shape.table)
    seen: set[frozenset[str]] = set()
    for members in candidates(shape):
        key = frozenset(column.name for column in members)
        if key in seen or len(key) < len(members) or any(guard <= key for guard in taken):
            continue
        seen.add(key)
        found = features(place, members)
        odds = BIAS + sum(WEIGHTS.get(feature, 0.0) for feature in found)
        listed = len(members) == 1 and _audit_name(members[0].name)
        if odds > -6.5 or listed:
            refs_first = sorted(members, key=lambda column: (not column.is_ref, order[column.name]))
            yield _Scored(shape.table, tuple(column.name for column in refs_first), odds, found)


def _guarded(table: Table) -> list[frozenset[str]]:
    """The primary key, and what unique indexes on more or fewer columns already promise for every row."""
    guards = [frozenset(table.primary_key)] if table.primary_key else []
    firm = {column.name for column in table.columns if column.not_null}
    for index in table.indexes:
        columns = frozenset(name for name in index.columns if name is not None)
        whole = len(columns) == len(index.columns) and not index.predicate and index.valid and index.unique
        if whole and not index.primary and (columns <= firm or index.nulls_not_distinct):
            guards.extend(columns | {name} for name in table.by_name if name not in columns)
    return guards


def _judge_indexes(scored: list[_Scored]) -> None:
    """Adds what plain indexes say, by the habit of this database: do its likely keys carry one?"""
    scored = [item for item in scored if "guarded" not in item.found]
    likely = [
        item for item in scored if item.odds > _LIKELY and not any(f.startswith("ref alone,") for f in item.found)
    ]
    exact = sum(any(feature.startswith("EXACT") for feature in item.found) for item in likely)
    habit = (exact + 0.5) / (len(likely) + 4)
    words = "keys indexed" if habit >= 0.3 else "few keys indexed" if habit >= 0.12 else "keys not indexed"
    for item in scored:
        place = next((at for at, feature in enumerate(item.found) if feature.startswith("EXACT")), None)
        if place is not None:
            item.found[place] = f"{item.found[place]}, {words}"
            item.odds += WEIGHTS.get(item.found[place], 0.0)
        elif words == "keys indexed":
            item.found.append("no index, keys indexed")
            item.odds += WEIGHTS.get("no index, keys indexed", 0.0)


def _take_hints(scored: list[_Scored], hints: Sequence[KeyHint], catalog: Catalog) -> None:
    known = {(item.table.schema, item.table.name, frozenset(item.columns)): item for item in scored}
    for hint in hints:
        table = catalog.by_name.get((hint.schema, hint.table))
        if table is None or not hint.columns or not all(column in table.by_name for column in hint.columns):
            continue
        spot = (hint.schema, hint.table, frozenset(hint.columns))
        item = known.get(spot)
        if item is None:
            if any(guard <= spot[2] for guard in _guarded(table)):
                continue
            item = known[spot] = _Scored(table, tuple(dict.fromkeys(hint.columns)), _HINTED, [])
            scored.append(item)
        item.odds = max(item.odds, _HINTED) + hint.weight if hint.weight > 0 else item.odds + hint.weight
        item.said = (*item.said, hint.reason)


def _ranked(scored: list[_Scored]) -> tuple[CandidateKey, ...]:
    keys = []
    for item in scored:
        score = 1 / (1 + math.exp(-max(-30.0, min(30.0, item.odds))))
        if len(item.columns) == 1 and _audit_name(item.columns[0]):
            score = max(score, _AUDIT_FLOOR)
        if score >= FLOOR:
            predicate = predicate_of(item.table, item.columns)
            keys.append(
                CandidateKey(
                    item.table.schema, item.table.name, item.columns, predicate, round(score, 4), _reasons(item)
                )
            )
    return tuple(sorted(keys, key=lambda key: (-key.score, key.schema, key.table, key.columns)))


def _reasons(item: _Scored) -> tuple[str, ...]:
    weighed = sorted(set(item.found), key=lambda feature: (-WEIGHTS.get(feature, 0.0), feature))
    spoken = []
    for feature in weighed:
        weight = WEIGHTS.get(feature, 0.0)
        words = sentence(feature, item.columns) if abs(weight) >= 0.3 else None
        if words is not None:
            spoken.append(words if weight > 0 else f"against it: {words}")
    reasons = tuple(dict.fromkeys((*item.said, *spoken)))
    return reasons or (f"the shape of {item.table.name} suggests it",)


def _audit_name(name: str) -> bool:
    return name in _AUDIT_NAMES or name.endswith(_AUDIT_ENDINGS)
