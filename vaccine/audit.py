"""The audit: connection → Catalog → candidate keys → evidence → findings, ranked. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from vaccine.catalog import Catalog, Table
from vaccine.coverage import coverage
from vaccine.errors import UnknownKeyError
from vaccine.finding import Finding, Priority, Writer
from vaccine.keys import SHOWN_AT, CandidateKey, candidate_keys
from vaccine.lifecycle import Override
from vaccine.measure import Measured, measure, unmeasured
from vaccine.observed import observed_writers
from vaccine.predicate import parse
from vaccine.priority import Facts, is_log, judge
from vaccine.reader import Reader
from vaccine.reflect import reflect

ORDER = {priority: place for place, priority in enumerate(Priority)}


@dataclass(frozen=True)
class AuditSettings:
    """What to look at and how hard.

    `data` False reads structure only. `min_score` leaves weaker candidates out. `overrides` says by
    (schema, table, columns) what a person knows of a key's lifecycle. `source` are folders of code.
    """

    schemas: tuple[str, ...] = ()  # empty: all
    data: bool = True
    min_score: float = SHOWN_AT
    with_frameworks: bool = False
    source: tuple[Path, ...] = ()
    overrides: Mapping[tuple[str, str, tuple[str, ...]], Override] = field(default_factory=dict)


@dataclass(frozen=True)
class Audit:
    """The result: what was read, and the findings, the most urgent first."""

    catalog: Catalog
    findings: tuple[Finding, ...]
    statements_run: int
    tables_audited: int
    unknowns: tuple[str, ...] = ()


def run_audit(connection: psycopg.Connection, settings: AuditSettings) -> Audit:
    """Audit the connected database.

    Args:
        connection: any psycopg connection; each table is read in a READ ONLY transaction of its own,
            or in a savepoint of the transaction that the caller has open.
        settings: what to look at.
    """
    reader = Reader(connection)
    catalog = _chosen(reflect(reader, with_frameworks=settings.with_frameworks), settings)
    writers = observed_writers(catalog)
    by_table: dict[tuple[str, str], list[CandidateKey]] = defaultdict(list)
    for key in candidate_keys(catalog):
        if key.score >= settings.min_score:
            by_table[key.schema, key.table].append(key)
    found: list[Finding] = []
    for spot, keys in by_table.items():
        found += _table_findings(reader, catalog, catalog.by_name[spot], keys, settings, writers.get(spot, ()))
    found += [
        _log_finding(catalog, table, writers) for table in catalog.tables if _keyless_log(table, by_table, catalog)
    ]
    return Audit(
        catalog=catalog,
        findings=tuple(sorted(found, key=_rank)),
        statements_run=reader.statements,
        tables_audited=sum(table.partition_of is None for table in catalog.tables),
    )


def audit_key(
    connection: psycopg.Connection,
    settings: AuditSettings,
    table: tuple[str, str],
    columns: Sequence[str],
    predicate: str | None = None,
) -> Finding:
    """The finding of one key that the user named, whatever it scores.

    Args:
        connection: as for `run_audit`.
        settings: as for `run_audit`.
        table: schema and name.
        columns: the key.
        predicate: which rows are live; None infers it, "" means all rows.

    Raises:
        UnknownKeyError: no such table or column.
    """
    reader = Reader(connection)
    catalog = reflect(reader, with_frameworks=True)
    found = catalog.by_name.get(table)
    if found is None:
        raise UnknownKeyError(
            f"there is no table {table[0]}.{table[1]}",
            why=f"database {catalog.database} has {len(catalog.tables)} tables that this role can see, not that one",
            fix="run vaccine audit for the names, and give SCHEMA.TABLE.COLUMN",
        )
    missing = [name for name in columns if name not in found.by_name]
    if missing or not columns:
        raise UnknownKeyError(
            f"table {table[0]}.{table[1]} has no column {', '.join(missing) or '(none was named)'}",
            why="its columns are " + ", ".join(found.by_name),
            fix="name the columns as the table has them, in double quotes where they need it",
        )
    known = {key.columns: key for key in candidate_keys(catalog) if (key.schema, key.table) == table}
    named = CandidateKey(*table, tuple(columns), None, SHOWN_AT, ("named by the user",))
    key = known.get(tuple(columns), named)
    if predicate is not None:
        spot = (*table, tuple(columns))
        given = settings.overrides.get(spot, Override())
        settings = replace(settings, overrides={**settings.overrides, spot: replace(given, predicate=predicate)})
    writers = observed_writers(catalog).get(table, ())
    return _table_findings(reader, catalog, found, [key], replace(settings, data=True), writers)[0]


def _chosen(catalog: Catalog, settings: AuditSettings) -> Catalog:
    if not settings.schemas:
        return catalog
    return replace(catalog, tables=tuple(table for table in catalog.tables if table.schema in settings.schemas))


def _table_findings(
    reader: Reader,
    catalog: Catalog,
    table: Table,
    keys: Sequence[CandidateKey],
    settings: AuditSettings,
    writers: Sequence[Writer],
) -> list[Finding]:
    overrides = {key.columns: settings.overrides.get((key.schema, key.table, key.columns)) for key in keys}
    look = measure if settings.data else unmeasured
    measured = look(reader, catalog, table, keys, overrides)
    return [_finding(catalog, table, key, result, writers) for key, result in zip(keys, measured, strict=True)]


def _finding(
    catalog: Catalog, table: Table, key: CandidateKey, measured: Measured, writers: Sequence[Writer]
) -> Finding:
    facts = Facts(
        table=table,
        columns=key.columns,
        score=key.score,
        coverage=measured.coverage,
        every=measured.every,
        live=measured.live,
        writers=writers,
        siblings=measured.siblings,
        filled_by_trigger=_filled_by_trigger(table, catalog),
        newest_age_s=measured.details.newest_age_s if measured.details else None,
    )
    judgement = judge(facts)
    guarded = measured.coverage.guarded
    return Finding(
        schema=key.schema,
        table=key.table,
        columns=key.columns,
        predicate=measured.predicate,
        priority=judgement.priority,
        score=round(judgement.score, 4),
        reasons=(*judgement.reasons, *key.reasons),
        rows=measured.every.rows if measured.every else None,
        distinct=measured.every.distinct if measured.every else None,
        live_duplicate_groups=measured.live.groups if measured.live else 0 if guarded else None,
        live_excess_rows=measured.live.excess if measured.live else 0 if guarded else None,
        guarded_by=measured.coverage.guarded_by,
        writers=tuple(writers),
        unknowns=measured.unknowns,
        lifecycle=measured.lifecycle,
        siblings=measured.siblings,
        details=measured.as_details(),
    )


def _keyless_log(table: Table, by_table: Mapping[tuple[str, str], object], catalog: Catalog) -> bool:
    """A table without a candidate key that is a record of what happened: said, so that nobody looks for its key."""
    if (table.schema, table.name) in by_table or table.partition_of is not None:
        return False
    return is_log(table) or _filled_by_trigger(table, catalog)


def _filled_by_trigger(table: Table, catalog: Catalog) -> bool:
    return any(
        writer.kind == "function" and writer.evidence.startswith("trigger")
        for writer in observed_writers_cached(catalog).get((table.schema, table.name), ())
    )


_OBSERVED: list[tuple[Catalog, Mapping[tuple[str, str], tuple[Writer, ...]]]] = []


def observed_writers_cached(catalog: Catalog) -> Mapping[tuple[str, str], tuple[Writer, ...]]:
    """`observed_writers`, once for a catalog."""
    if not _OBSERVED or _OBSERVED[0][0] is not catalog:
        _OBSERVED[:] = [(catalog, observed_writers(catalog))]
    return _OBSERVED[0][1]


def _log_finding(catalog: Catalog, table: Table, writers: Mapping[tuple[str, str], Iterable[Writer]]) -> Finding:
    why = "filled by a trigger" if _filled_by_trigger(table, catalog) else "a log by its name"
    return Finding(
        schema=table.schema,
        table=table.name,
        columns=(),
        predicate=None,
        priority=Priority.LOG,
        score=0.0,
        reasons=(f"{why}: rows are added, and no column is a logical key",),
        writers=tuple(writers.get((table.schema, table.name), ())),
        unknowns=("rows and distinct: there is no key to count",),
    )


def _rank(finding: Finding) -> tuple[int, int, float, str, str, tuple[str, ...]]:
    damage = -(finding.live_excess_rows or 0)
    return ORDER[finding.priority], damage, -finding.score, finding.schema, finding.table, finding.columns
