"""Which row of a duplicate group stays: the one that is more alive, then the one that was seen last. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from vaccine.candidates.lifecycle import form_of, is_deletion
from vaccine.candidates.words import snake
from vaccine.catalog.model import Column, Table
from vaccine.predicates import Predicate, literal, quote

RECENCY = (
    "last_seen_at", "last_seen", "seen_at", "last_activity_at", "last_active_at", "last_used_at", "last_occurrence_at",
    "last_updated_at", "last_updated", "last_modified_at", "last_modified", "updated_at", "date_updated", "updated_on",
    "updated", "modified_at", "date_modified", "modified_on", "modified", "changed_at", "synced_at", "last_synced_at",
    "refreshed_at", "version", "created_at", "date_created", "created_on", "created", "inserted_at", "creation_date",
    "recorded_at", "timestamp",
)  # fmt: skip
# What has gone further stays before what has not: a job that runs, a page that is published.
RANK = (
    "published", "running", "processing", "in_progress", "active", "current", "live", "enabled", "approved", "valid",
    "started", "open", "reopened", "acknowledged", "ready", "in_review", "scheduled", "queued", "pending", "todo",
    "new", "draft",
)  # fmt: skip

Values = Mapping[str, Sequence[tuple[str, int]]]


def survivor_order(
    table: Table, key: Sequence[str] = (), predicate: Predicate = (), values: Values | None = None
) -> tuple[str, ...]:
    """The ORDER BY that puts the row to keep first.

    Rows that another flag calls live come before those that it does not, a status that has gone further before one
    that has not, then what was seen last, then the highest primary key.
    """
    settled = {condition.column for condition in predicate if condition.kind != "in" or len(condition.values) == 1}
    free = [column for column in table.columns if column.name not in settled and column.name not in key]
    alive = [term for column in free if (term := _more_alive(column))]
    ranks = [term for column in free if (term := _further(column, values or {}))]
    return (*alive, *ranks, *_latest(table), *(f"{quote(name)} DESC" for name in table.primary_key))


def _more_alive(column: Column) -> str | None:
    """A term for a flag or an end that says by its name which rows are dead."""
    form, name = form_of(column), quote(column.name)
    if form == "live":
        return f"{name} IS TRUE DESC"
    if form == "dead":
        return f"{name} IS NOT TRUE DESC"
    if form == "ended" and is_deletion(column.name) and not column.not_null:
        return f"{name} IS NULL DESC"
    return None


def _further(column: Column, values: Values) -> str | None:
    """A term for a status with several values that have a rank; other values come last."""
    if form_of(column) != "status":
        return None
    seen = {_word(value): value for value, _ in values.get(column.name, ())}
    ranked = [seen[word] for word in RANK if word in seen]
    if len(ranked) < 2:
        return None
    cases = " ".join(f"WHEN {literal(value)} THEN {place}" for place, value in enumerate(ranked))
    return f"CASE {quote(column.name)} {cases} ELSE {len(ranked)} END"


def _latest(table: Table) -> Iterator[str]:
    by_name = {snake(column.name): column for column in table.columns}
    for name in RECENCY:
        column = by_name.get(name)
        if column and column.category in {"D", "N"} and column.name not in table.primary_key:
            yield f"{quote(column.name)} DESC NULLS LAST"
            return


def _word(value: str) -> str:
    return re.sub(r"[\s-]+", "_", value.strip().lower())
