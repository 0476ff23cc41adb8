"""The audit: connection → Catalog → candidate keys → evidence → findings, ranked. Reads only."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

import psycopg

from vaccine.catalog import Catalog, Table
from vaccine.errors import UnknownKeyError
from vaccine.finding import Finding, Priority, Writer
from vaccine.keys import SHOWN_AT, CandidateKey, candidate_keys
from vaccine.lifecycle import Override
from vaccine.measure import Limits, Measured, Scene, measure, structure_only
from vaccine.observed import Writers, filled_by_trigger, observe
from vaccine.predicate import parse, quote, render
from vaccine.priority import Facts, is_log, judge
from vaccine.reader import Reader, question
from vaccine.reflect import reflect
from vaccine.report.details import details
from vaccine.workers import Progress, in_parallel

Key = tuple[str, str, tuple[str, ...]]  # schema, table, columns
ORDER = {priority: place for place, priority in enumerate(Priority)}
WRITERS_MEASURED = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)


@dataclass(frozen=True)
class AuditSettings:
    """What to look at and how hard.

    Attributes:
        schemas: only these; empty means all.
        exclude: patterns of `schema.table` or `schema.table.column` to leave out (`*` and `?`).
        data: False reads structure only.
        min_score: weaker candidates are left out.
        budget_s: seconds for reading rows, in all; None is no limit.
        table_s: seconds that one statement may take.
        jobs: how many tables to read at once; needs `connect` when above 1.
        connect: opens another connection to the same database.
        source: folders of source code whose writers count.
        overrides: what a person says of a key's lifecycle, by (schema, table, columns).
        accepted: why a key's finding is accepted, by (schema, table, columns).
        progress: called after each table.
    """

    schemas: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    data: bool = True
    min_score: float = SHOWN_AT
    with_frameworks: bool = False
    budget_s: float | None = None
    table_s: float = 60.0
    jobs: int = 1
    connect: Callable[[], psycopg.Connection] | None = None
    source: tuple[Path, ...] = ()
    overrides: Mapping[Key, Override] = field(default_factory=dict)
    accepted: Mapping[Key, str] = field(default_factory=dict)
    progress: Callable[[Progress], None] | None = None


@dataclass(frozen=True, slots=True)
class InvalidIndex:
    """A leftover of a failed concurrent build. `ready` means that a unique one already rejects duplicates."""

    schema: str
    table: str
    name: str
    unique: bool
    ready: bool


@dataclass(frozen=True)
class Audit:
    """The result: what was read, and the findings, the most urgent first."""

    catalog: Catalog
    findings: tuple[Finding, ...]
    statements_run: int
    tables_audited: int
    unknowns: tuple[str, ...] = ()
    invalid_indexes: tuple[InvalidIndex, ...] = ()


def run_audit(connection: psycopg.Connection, settings: AuditSettings) -> Audit:
    """Audit the connected database.

    Args:
        connection: any psycopg connection; each table is read in a READ ONLY transaction of its own,
            or in a savepoint of the transaction that the caller has open.
        settings: what to look at.

    Raises:
        PredicateError: a predicate of `settings.overrides` does not fit its table.
    """
    reader = Reader(connection)
    catalog = _chosen(reflect(reader, with_frameworks=settings.with_frameworks), settings)
    writers, unknowns = observe(reader, catalog)
    writers = _with_source(catalog, writers, settings)
    invalid = _invalid_indexes(reader, catalog)
    by_table = _candidates(catalog, settings)
    scenes = _scenes(catalog, by_table, settings)
    measured, statements = _measured(reader, scenes, settings)
    found = [
        _finding(scene.table, key, result, writers, settings)
        for scene, results in zip(scenes, measured, strict=True)
        for key, result in zip(scene.keys, results, strict=True)
    ]
    found += [_log_finding(table, writers) for table in catalog.tables if _keyless_log(table, by_table, writers)]
    return Audit(
        catalog=catalog,
        findings=tuple(sorted(found, key=_rank)),
        statements_run=reader.statements + statements,
        tables_audited=sum(table.partition_of is None for table in catalog.tables),
        unknowns=unknowns,
        invalid_indexes=invalid,
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
    found = _named_table(catalog, table, columns)
    spot = (*table, tuple(columns))
    candidate = CandidateKey(*spot, None, SHOWN_AT, ("named by the user",))
    candidate = next(
        (key for key in candidate_keys(catalog) if (key.schema, key.table, key.columns) == spot), candidate
    )
    overrides = dict(settings.overrides)
    if predicate is not None:
        overrides[spot] = replace(overrides.get(spot, Override()), predicate=predicate)
    writers = _with_source(catalog, observe(reader, catalog)[0], settings)
    limits = Limits(table_s=settings.table_s)
    scene = Scene(catalog, found, (candidate,), {spot[2]: overrides.get(spot)}, limits)
    return _finding(found, candidate, measure(reader, scene)[0], writers, settings)


def _named_table(catalog: Catalog, table: tuple[str, str], columns: Sequence[str]) -> Table:
    found = catalog.by_name.get(table)
    if found is None:
        raise UnknownKeyError(
            f"there is no table {table[0]}.{table[1]}",
            why=f"database {catalog.database} has {len(catalog.tables)} tables, not that one",
            fix="run vaccine audit --all for the names, and give SCHEMA.TABLE.COLUMN",
        )
    missing = [name for name in columns if name not in found.by_name]
    if missing or not columns:
        raise UnknownKeyError(
            f"table {table[0]}.{table[1]} has no column {', '.join(missing) or '(none was named)'}",
            why="its columns are " + ", ".join(found.by_name),
            fix="name the columns as the table has them, in double quotes where they need it",
        )
    return found


def _chosen(catalog: Catalog, settings: AuditSettings) -> Catalog:
    """The catalog without what the settings leave out."""
    unknown = set(settings.schemas) - {table.schema for table in catalog.tables}
    if unknown:
        raise UnknownKeyError(
            f"there is no table in schema {', '.join(sorted(unknown))}",
            why="the schemas with tables are " + ", ".join(sorted({table.schema for table in catalog.tables})),
            fix="give one of them to --schema; names are compared exactly",
        )
    kept = [
        table
        for table in catalog.tables
        if (not settings.schemas or table.schema in settings.schemas)
        and not _matches(f"{table.schema}.{table.name}", settings.exclude)
    ]
    left_out = len(catalog.tables) - len(kept)
    skipped = catalog.skipped
    if left_out:
        skipped = (*skipped, ("the settings", left_out))
    return replace(catalog, tables=tuple(kept), skipped=skipped) if left_out else catalog


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _candidates(catalog: Catalog, settings: AuditSettings) -> dict[tuple[str, str], list[CandidateKey]]:
    """The candidate keys by table: those that score, those a person spoke of, and those an INVALID index was for."""
    by_table: dict[tuple[str, str], list[CandidateKey]] = defaultdict(list)
    for key in candidate_keys(catalog):
        spoken_of = (key.schema, key.table, key.columns) in settings.overrides
        names = [f"{key.schema}.{key.table}.{column}" for column in key.columns]
        if (key.score >= settings.min_score or spoken_of) and not any(_matches(n, settings.exclude) for n in names):
            by_table[key.schema, key.table].append(key)
    for table in catalog.tables:
        known = {key.columns for key in by_table.get((table.schema, table.name), ())}
        for key in _meant_by_invalid(table):
            if key.columns not in known:
                by_table[table.schema, table.name].append(key)
    for schema, name, columns in settings.overrides:
        table = _named_table(catalog, (schema, name), columns)
        if columns not in {key.columns for key in by_table[schema, name]}:
            key = CandidateKey(schema, name, columns, None, SHOWN_AT, ("named in the configuration",))
            by_table[table.schema, table.name].append(key)
    return by_table


def _meant_by_invalid(table: Table) -> list[CandidateKey]:
    """The keys that INVALID unique indexes were built for."""
    keys = []
    for index in table.indexes:
        columns = tuple(name for name in index.columns if name is not None)
        if index.unique and not index.valid and len(columns) == len(index.columns):
            live = [c for c in parse(index.predicate) if not (c.kind == "not null" and c.column in columns)]
            reason = f"the INVALID index {index.name} was to guard it"
            keys.append(CandidateKey(table.schema, table.name, columns, render(live), 0.9, (reason,)))
    return keys


def _invalid_indexes(reader: Reader, catalog: Catalog) -> tuple[InvalidIndex, ...]:
    found = [
        InvalidIndex(table.schema, table.name, index.name, index.unique, index.ready)
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
    catalog: Catalog, by_table: Mapping[tuple[str, str], list[CandidateKey]], settings: AuditSettings
) -> list[Scene]:
    """One scene a table, the smallest table first: a budget then measures as many as it can."""
    deadline = None if settings.budget_s is None else time.monotonic() + settings.budget_s
    limits = Limits(table_s=settings.table_s, deadline=deadline)
    scenes = []
    for spot, keys in by_table.items():
        overrides = {key.columns: settings.overrides.get((*spot, key.columns)) for key in keys}
        scenes.append(Scene(catalog, catalog.by_name[spot], keys, overrides, limits))
    return sorted(scenes, key=lambda scene: (scene.table.bytes, scene.table.schema, scene.table.name))


def _measured(reader: Reader, scenes: Sequence[Scene], settings: AuditSettings) -> tuple[list[list[Measured]], int]:
    """What each scene's rows say, and how many statements other connections ran for it."""
    if not settings.data:
        return [structure_only(scene) for scene in scenes], 0
    if settings.jobs > 1 and settings.connect is not None:
        return in_parallel(measure, scenes, settings.jobs, settings.connect, settings.progress)
    tracker = Progress.start(scenes)
    results = []
    for scene in scenes:
        results.append(measure(reader, scene))
        tracker = tracker.after(scene)
        if settings.progress:
            settings.progress(tracker)
    return results, 0


def _with_source(catalog: Catalog, writers: Writers, settings: AuditSettings) -> Writers:
    """The writers that source code shows, before those that the database shows."""
    if not settings.source:
        return writers
    from vaccine.source import source_writers  # noqa: PLC0415  the parsers are an extra

    found = source_writers(catalog, settings.source)
    return {spot: (*found.get(spot, ()), *writers.get(spot, ())) for spot in {*found, *writers}}


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
        newest_age_s=measured.details.newest_age_s if measured.details else None,
    )
    judgement = judge(facts)
    unguarded = judgement.priority in WRITERS_MEASURED
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
    if not any(writer.confidence >= 0.5 for writer in writers):
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
