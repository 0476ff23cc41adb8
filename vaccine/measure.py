"""One table's candidate keys measured: coverage, lifecycle, and what its rows say. Reads in one short transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg

from vaccine.catalog import Catalog, Table
from vaccine.coverage import Coverage, coverage
from vaccine.evidence import (
    Counts,
    Details,
    KeyQuery,
    by_value,
    count_keys,
    count_values,
    count_variants,
    describe_duplicates,
)
from vaccine.finding import Lifecycle
from vaccine.keys import CandidateKey
from vaccine.lifecycle import Override, Values, lifecycle, lifecycle_columns, siblings, whole_predicate
from vaccine.predicate import parse
from vaccine.reader import Reader

Overrides = Mapping[tuple[str, ...], Override | None]


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of one key. `every` counts all rows, `live` the live ones; None: not measured, see `unknowns`."""

    coverage: Coverage
    lifecycle: Lifecycle
    predicate: str | None
    siblings: tuple[str, ...] = ()
    every: Counts | None = None
    live: Counts | None = None
    details: Details | None = None
    unknowns: tuple[str, ...] = ()

    def as_details(self) -> tuple[tuple[str, object], ...]:
        """The evidence beyond a Finding's own fields, JSON-able."""
        pairs: list[tuple[str, object]] = []
        if self.coverage.holes:
            pairs.append(("holes", list(self.coverage.holes)))
        if self.coverage.invalid:
            pairs.append(
                ("invalid_indexes", [{"name": name, "enforces": ready} for name, ready in self.coverage.invalid])
            )
        if self.every:
            pairs += [("null_rows", self.every.nulls), ("empty_rows", self.every.empty)]
            pairs += [("duplicate_groups", self.every.groups), ("excess_rows", self.every.excess)]
        if self.live:
            pairs += [("live_rows", self.live.rows), ("live_distinct", self.live.distinct)]
        if self.details:
            pairs += _details(self.details)
        return tuple(pairs)


def _details(details: Details) -> list[tuple[str, object]]:
    return [
        ("row_columns", list(details.columns)),
        (
            "groups",
            [
                {
                    "key": list(group.key),
                    "rows": group.size,
                    "ids": list(group.ids),
                    "values": [list(r) for r in group.rows],
                }
                for group in details.groups
            ],
        ),
        (
            "duplicates_by_value",
            [
                {"column": column, "value": value, "groups": groups, "excess_rows": excess}
                for column, value, groups, excess in details.by_value
            ],
        ),
        ("newest_duplicate_at", details.newest_at),
        ("newest_duplicate_age_s", details.newest_age_s),
        ("sources", [{"column": column, "value": value, "rows": rows} for column, value, rows in details.sources]),
        ("case_or_blank_variants", details.variants),
    ]


def unmeasured(
    reader: Reader, catalog: Catalog, table: Table, keys: Sequence[CandidateKey], overrides: Overrides
) -> list[Measured]:
    """The same from structure alone."""
    unknown = ("rows and duplicates: structure only, no rows were read",)
    return [replace(_structure(catalog, table, key, overrides), unknowns=unknown) for key in keys]


def measure(
    reader: Reader, catalog: Catalog, table: Table, keys: Sequence[CandidateKey], overrides: Overrides
) -> list[Measured]:
    """Each key's counts; where it repeats among live rows, the groups too. What fails becomes an unknown."""
    plain = [_structure(catalog, table, key, overrides) for key in keys]
    try:
        with reader.block():
            return _measure(reader, catalog, table, keys, overrides)
    except psycopg.Error as error:
        return [replace(known, unknowns=(_why(table, error),)) for known in plain]


def _measure(
    reader: Reader, catalog: Catalog, table: Table, keys: Sequence[CandidateKey], overrides: Overrides
) -> list[Measured]:
    every = count_keys(reader, table, [KeyQuery(key.columns) for key in keys])
    repeated = any(counts.groups for counts in every)
    values = {name: count_values(reader, table, name) for name in lifecycle_columns(table)} if repeated else {}
    measured = []
    for key, counts in zip(keys, every, strict=True):
        known = _structure(catalog, table, key, overrides, values, history=bool(counts.groups))
        query = KeyQuery(key.columns, known.lifecycle.predicate)
        live = _live(reader, table, query, counts)
        details = _describe(reader, table, query, known, counts, live)
        measured.append(replace(known, every=counts, live=live, details=details))
    return measured


def _live(reader: Reader, table: Table, query: KeyQuery, every: Counts) -> Counts:
    if query.predicate is None:
        return replace(every, rows=every.rows - every.nulls, nulls=0)
    live = count_keys(reader, table, [query])[0]
    return replace(live, rows=live.rows - live.nulls)


def _describe(
    reader: Reader, table: Table, query: KeyQuery, known: Measured, every: Counts, live: Counts
) -> Details | None:
    if every.groups == 0 and (known.coverage.guarded or len(query.columns) > 1):
        return None
    column = known.lifecycle.columns[0] if known.lifecycle.columns else None
    details = Details()
    if live.groups:
        details = describe_duplicates(reader, table, query, known.lifecycle.survivor, column)
    elif every.groups and column:
        details = replace(details, by_value=by_value(reader, table, query, column))
    if len(query.columns) == 1 and table.by_name[query.columns[0]].category == "S":
        details = replace(details, variants=count_variants(reader, table, query))
    return details


def _structure(
    catalog: Catalog,
    table: Table,
    key: CandidateKey,
    overrides: Overrides,
    values: Values | None = None,
    *,
    history: bool = False,
) -> Measured:
    override = overrides.get(key.columns)
    found = lifecycle(
        catalog, table, key.columns, values=values, history=history, override=override, hint=key.predicate
    )
    predicate = whole_predicate(table, key.columns, found.predicate)
    return Measured(
        coverage=coverage(table, key.columns, parse(found.predicate)),
        lifecycle=found,
        predicate=predicate,
        siblings=tuple(
            f"{other.schema}.{other.name}: {index.name}" for other, index in siblings(catalog, table, key.columns)
        ),
    )


def _why(table: Table, error: psycopg.Error) -> str:
    """Why nothing was measured, with what to do."""
    name = f"{table.schema}.{table.name}"
    if error.sqlstate == "42501" and "row-level security" in str(error):
        return f"rows and duplicates: row-level security hides rows of {name} from this role; audit as a role with BYPASSRLS"
    if error.sqlstate == "42501":
        return f"rows and duplicates: this role may not read {name}; GRANT SELECT on it"
    if error.sqlstate == "55P03":
        return f"rows and duplicates: {name} was locked by another session; run again later"
    if error.sqlstate == "57014":
        return f"rows and duplicates: {name} took longer than its budget; raise --budget"
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"rows and duplicates: {first} ({error.sqlstate})"
