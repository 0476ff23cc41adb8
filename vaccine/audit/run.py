"""The audit: connection → Catalog → candidate keys → evidence → findings, ranked. Reads only."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import psycopg

from vaccine.audit.details import details
from vaccine.audit.finding import DEFECTS, Finding, Priority, Writer
from vaccine.audit.folding import folded
from vaccine.audit.given import accepted
from vaccine.audit.hints.statements import read_statements
from vaccine.audit.lifecycle import Override
from vaccine.audit.measure import Limits, Measured, Scene, measure, structure_only
from vaccine.audit.overlap import untangled
from vaccine.audit.priority import Facts, is_log, judge
from vaccine.audit.selection import candidates, chosen_tables, hints, named_table
from vaccine.audit.settings import AuditSettings, Key
from vaccine.audit.sightings.database import Writers, filled_by_trigger, observe
from vaccine.audit.workers import Gathered, in_parallel, in_turn
from vaccine.candidates import SHOWN_AT, CandidateKey, candidate_keys
from vaccine.catalog.collector import collector_at_rest
from vaccine.catalog.model import Catalog, Table
from vaccine.catalog.reader import Reader, question
from vaccine.catalog.reflect import reflect
from vaccine.predicates import quote

__all__ = ["Audit", "AuditSettings", "InvalidIndex", "audit_key", "key_text", "run_audit"]

ORDER = {priority: place for place, priority in enumerate(Priority)}


@dataclass(frozen=True, slots=True)
class InvalidIndex:
    """A leftover of a failed concurrent build. `ready` means that a unique one already rejects duplicates.

    One of a `partitioned` table is INVALID until every partition has its part of it.
    """

    schema: str
    table: str
    name: str
    unique: bool
    ready: bool
    partitioned: bool = False


@dataclass(frozen=True)
class Audit:
    """The result: what was read, and the findings, the most urgent first."""

    catalog: Catalog
    findings: tuple[Finding, ...]
    statements_run: int
    tables_audited: int
    unknowns: tuple[str, ...] = ()
    invalid_indexes: tuple[InvalidIndex, ...] = ()
    expired: tuple[tuple[Key, date], ...] = ()  # keys whose acceptance ended, and its last day
    needless: tuple[Key, ...] = ()  # accepted keys that nothing was found of


def run_audit(connection: psycopg.Connection, settings: AuditSettings) -> Audit:
    """Audit the connected database.

    Args:
        connection: any psycopg connection; each table is read in a READ ONLY transaction of its own,
            or in a savepoint of the transaction that the caller has open.
        settings: what to look at.

    Raises:
        PredicateError: a predicate of `settings.overrides` does not fit its table.
    """
    with collector_at_rest():
        return _audited(Reader(connection), settings)


def _audited(reader: Reader, settings: AuditSettings) -> Audit:
    deadline = None if settings.budget_s is None else time.monotonic() + settings.budget_s
    catalog = chosen_tables(reflect(reader, with_frameworks=settings.with_frameworks), settings)
    settings = replace(settings, overrides=accepted(reader, catalog, settings.overrides))
    statements = read_statements(reader, catalog)
    writers, unknowns = observe(reader, catalog, statements)
    writers, unread = _with_source(catalog, writers, settings, deadline)
    invalid = _invalid_indexes(reader, catalog)
    by_table = candidates(catalog, settings, statements)
    scenes = _scenes(catalog, by_table, settings, deadline)
    gathered = _measured(reader, scenes, settings)
    found = [
        _finding(scene.table, key, result, writers, settings)
        for scene, results in zip(scenes, gathered.results, strict=True)
        for key, result in zip(scene.keys, results, strict=True)
    ]
    found = [finding for finding in untangled(found, settings.overrides) if _shown(finding, settings)]
    found += [_log_finding(table, writers) for table in catalog.tables if _keyless_log(table, by_table, writers)]
    return Audit(
        catalog=catalog,
        findings=tuple(sorted(found, key=_rank)),
        statements_run=reader.statements + gathered.statements,
        tables_audited=sum(table.partition_of is None for table in catalog.tables),
        unknowns=(*unknowns, *unread, *gathered.unknowns, *folded(catalog)),
        invalid_indexes=invalid,
        expired=tuple(settings.expired.items()),
        needless=_needless(catalog, found, settings),
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
        PredicateError: the predicate does not fit the table.
    """
    reader = Reader(connection)
    catalog = reflect(reader, with_frameworks=True)
    found = named_table(catalog, table, columns)
    spot = (*table, tuple(columns))
    candidate = CandidateKey(*spot, None, SHOWN_AT, ("named by the user",))
    statements = read_statements(reader, catalog)
    keys = candidate_keys(catalog, hints(catalog, statements))
    candidate = next((key for key in keys if (key.schema, key.table, key.columns) == spot), candidate)
    overrides = dict(settings.overrides)
    if predicate is not None:
        overrides[spot] = replace(overrides.get(spot, Override()), predicate=predicate)
    overrides = accepted(reader, catalog, overrides)
    writers, _ = _with_source(catalog, observe(reader, catalog, statements)[0], settings, None)
    limits = Limits(table_s=settings.table_s)
    scene = Scene(catalog, found, (candidate,), {spot[2]: overrides.get(spot)}, limits)
    return _finding(found, candidate, measure(reader, scene)[0], writers, settings)


def _shown(finding: Finding, settings: AuditSettings) -> bool:
    """What is guarded or no key at all is said; what may be a defect must score, or have been asked for."""
    asked = (finding.schema, finding.table, finding.columns) in settings.overrides
    return asked or finding.priority not in DEFECTS or finding.score >= settings.min_score


def _needless(catalog: Catalog, found: Sequence[Finding], settings: AuditSettings) -> tuple[Key, ...]:
    """Accepted keys of which nothing was found, in tables that were looked at or do not exist."""
    known = {(finding.schema, finding.table, finding.columns) for finding in found}
    narrowed = bool(settings.schemas or settings.exclude)
    return tuple(
        key for key in settings.accepted if key not in known and not (narrowed and key[:2] not in catalog.by_name)
    )


def _invalid_indexes(reader: Reader, catalog: Catalog) -> tuple[InvalidIndex, ...]:
    found = [
        InvalidIndex(table.schema, table.name, index.name, index.unique, index.ready, table.kind == "p")
        for table in catalog.tables
        for index in table.indexes
        if not index.valid
    ]
    if not found:
        return ()
    with reader.block():
        building = set(reader.rows(question("builds")))
    return tuple(index for index in found if (index.schema, index.name) not in building)


def _scenes(
    catalog: Catalog,
    by_table: Mapping[tuple[str, str], list[CandidateKey]],
    settings: AuditSettings,
    deadline: float | None,
) -> list[Scene]:
    """One scene a table, the smallest table first: a budget then measures as many as it can."""
    limits = Limits(table_s=settings.table_s, deadline=deadline)
    scenes = []
    for spot, keys in by_table.items():
        overrides = {key.columns: settings.overrides.get((*spot, key.columns)) for key in keys}
        scenes.append(Scene(catalog, catalog.by_name[spot], keys, overrides, limits))
    return sorted(scenes, key=lambda scene: (scene.table.bytes, scene.table.schema, scene.table.name))


def _measured(reader: Reader, scenes: Sequence[Scene], settings: AuditSettings) -> Gathered:
    if not settings.data:
        return Gathered([structure_only(reader, scene) for scene in scenes])
    if settings.jobs > 1 and settings.connect is not None:
        return in_parallel(measure, reader, scenes, settings.jobs, connect=settings.connect, progress=settings.progress)
    return in_turn(measure, reader, scenes, settings.progress)


def _with_source(
    catalog: Catalog, writers: Writers, settings: AuditSettings, deadline: float | None
) -> tuple[Writers, tuple[str, ...]]:
    """The writers that source code shows, before those that the database shows; and what was not read of it."""
    if not settings.source:
        return writers, ()
    from vaccine.audit.sightings.source import source_writers  # noqa: PLC0415  the parsers are an extra

    found, unread = source_writers(catalog, settings.source, deadline)
    why = f"writers in source code: the time budget ran out before {unread:,} files were read; raise --budget"
    both = {spot: (*found.get(spot, ()), *writers.get(spot, ())) for spot in {*found, *writers}}
    return both, (why,) if unread else ()


def _finding(table: Table, key: CandidateKey, measured: Measured, writers: Writers, settings: AuditSettings) -> Finding:
    spot = (key.schema, key.table)
    seen = tuple(
        writer for writer in writers.get(spot, ()) if not writer.columns or set(writer.columns) & set(key.columns)
    )
    facts = Facts(
        table=table,
        columns=key.columns,
        score=key.score,
        coverage=measured.coverage,
        every=measured.every,
        live=measured.live,
        sample=measured.sample,
        writers=seen,
        siblings=measured.siblings,
        filled_by_trigger=filled_by_trigger(seen),
        details=measured.details,
        looked_up=key.looked_up,
        open_where_null=tuple(each.text for each in measured.lifecycle.questions if each.about == "key"),
    )
    judgement = judge(facts)
    unguarded = judgement.priority in DEFECTS
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
        live_duplicate_groups=measured.live.groups if measured.live else 0 if measured.coverage.guarded else None,
        live_excess_rows=measured.live.excess if measured.live else 0 if measured.coverage.guarded else None,
        guarded_by=measured.coverage.guarded_by,
        writers=seen,
        unknowns=(*measured.unknowns, *(_unclear(seen, measured) if unguarded else ())),
        lifecycle=measured.lifecycle,
        siblings=measured.siblings,
        details=details(measured),
        accepted=settings.accepted.get((*spot, key.columns)),
    )


def _unclear(writers: Sequence[Writer], measured: Measured) -> tuple[str, ...]:
    """What a person must find out: who writes, and how a row is retired."""
    found = []
    empty = measured.every is not None and measured.every.rows == 0
    if not empty and not any(writer.confidence >= 0.5 for writer in writers):
        found.append("writers: none seen in the database; look in the code with --source DIR")
    if measured.live and measured.live.groups and not measured.lifecycle.assign:
        found.append(
            "how to retire a row: no status, flag or end date is known; give vaccine plan --assign COLUMN=VALUE"
        )
    return tuple(found)


def _keyless_log(table: Table, by_table: Mapping[tuple[str, str], object], writers: Writers) -> bool:
    """A table without a candidate key that is a record of what happened: said, so that nobody looks for its key."""
    spot = (table.schema, table.name)
    if spot in by_table or table.partition_of is not None:
        return False
    return is_log(table) or filled_by_trigger(writers.get(spot, ()))


def _log_finding(table: Table, writers: Writers) -> Finding:
    seen = writers.get((table.schema, table.name), ())
    why = "filled by a trigger" if filled_by_trigger(seen) else "a log by its name"
    return Finding(
        schema=table.schema,
        table=table.name,
        columns=(),
        predicate=None,
        priority=Priority.LOG,
        score=0.0,
        reasons=(f"{why}: rows are added, and no column is a logical key",),
        writers=seen,
        unknowns=("rows and distinct: there is no key to count",),
    )


def _rank(finding: Finding) -> tuple[int, int, float, str, str, tuple[str, ...]]:
    damage = -(finding.live_excess_rows or 0)
    return ORDER[finding.priority], damage, -finding.score, finding.schema, finding.table, finding.columns


def key_text(schema: str, table: str, columns: Sequence[str]) -> str:
    """A key as commands take it: `schema.table.column,column`, quoted where needed."""
    return f"{quote(schema)}.{quote(table)}.{','.join(map(quote, columns))}"
