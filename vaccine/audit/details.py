"""The evidence beyond a Finding's own fields, JSON-able, as pairs of name and value."""

from __future__ import annotations

from vaccine.audit.groups import Details
from vaccine.audit.measure import Measured

Pairs = tuple[tuple[str, object], ...]


def details(measured: Measured) -> Pairs:
    """What was measured of one key and is worth keeping."""
    pairs: list[tuple[str, object]] = []
    if measured.rows_estimate is not None:
        pairs.append(("rows_estimate", round(measured.rows_estimate)))
    if measured.coverage.holes:
        pairs.append(("holes", list(measured.coverage.holes)))
    if measured.coverage.narrower:
        pairs.append(("guards_some_rows_only", list(measured.coverage.narrower)))
    if measured.coverage.invalid:
        states = [{"name": name, "enforces": enforces} for name, enforces in measured.coverage.invalid]
        pairs.append(("invalid_indexes", states))
    if measured.every:
        pairs += [("null_rows", measured.every.nulls), ("empty_rows", measured.every.empty)]
        pairs += [("duplicate_groups", measured.every.groups), ("excess_rows", measured.every.excess)]
        pairs.append(("groups_with_null", measured.every.open_groups))
    if measured.live:
        pairs += [("live_rows", measured.live.rows), ("live_distinct", measured.live.distinct)]
    if measured.sample:
        pairs += [("sample_rows", measured.sample.rows), ("sample_distinct", measured.sample.distinct)]
    if measured.details:
        pairs += _of_duplicates(measured.details)
    return tuple(pairs)


def _of_duplicates(found: Details) -> Pairs:
    groups = [
        {
            "key": list(group.key),
            "rows": group.size,
            "ids": list(group.ids),
            "values": [list(row) for row in group.rows],
        }
        for group in found.groups
    ]
    by_value = [
        {"column": column, "value": value, "groups": number, "excess_rows": excess}
        for column, value, number, excess in found.by_value
    ]
    return (
        ("row_columns", list(found.columns)),
        ("groups", groups),
        ("duplicates_by_value", by_value),
        ("newest_duplicate_at", found.newest_at),
        ("newest_duplicate_age_s", found.newest_age_s),
        ("sources", [{"column": column, "value": value, "rows": rows} for column, value, rows in found.sources]),
        (
            "created_through",
            [{"user": user, "user_agent": agent, "rows": rows} for user, agent, rows in found.activity],
        ),
        ("case_or_blank_variants", found.variants),
        ("placeholder_excess_rows", sum(group.size - 1 for group in found.placeholders)),
    )
