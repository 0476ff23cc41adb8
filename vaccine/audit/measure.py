"""One table's candidate keys measured: coverage, lifecycle, and what its rows say.

A table up to `Limits.large_rows` is counted whole, then among its live rows. Of a larger one only the
live rows are counted where the structure says which those are; a huge one is looked at through a sample
first, and what plainly repeats on purpose is not counted. Each step is one short transaction with a timeout.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg

from vaccine.audit.counts import KeyCounts, KeyQuery, count_keys, count_values, count_variants
from vaccine.audit.coverage import Coverage, coverage
from vaccine.audit.doubts import doubts, open_where_null
from vaccine.audit.finding import Lifecycle
from vaccine.audit.groups import Details, bursts, by_value, created_through, describe_duplicates
from vaccine.audit.implication import proves
from vaccine.audit.lifecycle import (
    Override,
    lifecycle,
    may_say_nothing,
    siblings,
    statuses,
    unguarded_part,
    whole_predicate,
)
from vaccine.audit.retired import moving
from vaccine.audit.signs import Chosen, Values, choose, conditions, count_signs
from vaccine.candidates import CandidateKey
from vaccine.candidates.lifecycle import form_of, lifecycle_columns
from vaccine.catalog.foreign import called_by
from vaccine.catalog.model import Catalog, Table
from vaccine.catalog.reader import Reader
from vaccine.connect import milliseconds
from vaccine.errors import PredicateError
from vaccine.predicates import parse, render

Overrides = Mapping[tuple[str, ...], Override | None]
LARGE_ROWS = 1_000_000
FEW = 10
SIBLINGS_NAMED = 5
STRUCTURE_ONLY = ("rows and duplicates: structure only, no rows were read",)
BYTES_A_ROW = 100  # where nothing but the size is known


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be read. `deadline` is of time.monotonic(); times in seconds, sizes in rows."""

    large_rows: int = LARGE_ROWS
    huge_rows: int = 20_000_000
    sample_rows: int = 200_000
    table_s: float = 60.0
    deadline: float | None = None

    def timeout_ms(self) -> int:
        """What one statement may take now; 0 or less when the time is up."""
        left = self.table_s if self.deadline is None else min(self.table_s, self.deadline - time.monotonic())
        return milliseconds(left)


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of one key. `every` counts all rows, `live` the live ones, `sample` those of a sample.

    None means that it was not measured; `unknowns` says why.
    """

    coverage: Coverage
    lifecycle: Lifecycle
    predicate: str | None
    siblings: tuple[str, ...] = ()
    every: KeyCounts | None = None
    live: KeyCounts | None = None
    sample: KeyCounts | None = None
    details: Details | None = None
    unknowns: tuple[str, ...] = ()
    rows_estimate: float | None = None
    foreign: str = ""  # code of another role that the inferred predicate would run: it is not run


@dataclass(frozen=True, slots=True)
class Scene:
    """What measuring one table needs beside the connection."""

    catalog: Catalog
    table: Table
    keys: Sequence[CandidateKey]
    overrides: Overrides
    limits: Limits


def structure_only(reader: Reader, scene: Scene) -> list[Measured]:
    """What structure alone says; no row is read, but PostgreSQL may be asked whether one predicate implies another."""
    known = [replace(_known(scene, key), unknowns=STRUCTURE_ONLY) for key in scene.keys]
    if not any(_undecided(each) for each in known):
        return known
    try:
        return [_ask_coverage(reader, scene, key, each) for key, each in zip(scene.keys, known, strict=True)]
    except psycopg.Error as error:
        _refuse_bad_override(scene, error)
        return known


def measure(reader: Reader, scene: Scene) -> list[Measured]:
    """Each key's counts; where it repeats among live rows, the groups too. What fails becomes an unknown.

    Raises:
        PredicateError: a predicate that a person gave does not fit the table.
    """
    known = [_known(scene, key) for key in scene.keys]
    reason = _unreadable(scene.table)
    if reason is None and scene.limits.timeout_ms() <= 0:
        reason = "rows and duplicates: the time budget ran out before these were counted; raise --budget"
    if reason is not None:
        return [replace(each, unknowns=(reason,)) for each in known]
    try:
        known = [_ask_coverage(reader, scene, key, each) for key, each in zip(scene.keys, known, strict=True)]
        counted = _count(reader, scene, known)
    except psycopg.Error as error:
        _refuse_bad_override(scene, error)
        return [replace(each, unknowns=(_why(scene.table, error),)) for each in known]
    return [
        _not_run(each) if each.foreign else _described(reader, scene, key, each)
        for key, each in zip(scene.keys, counted, strict=True)
    ]


def _not_run(known: Measured) -> Measured:
    owner = known.foreign.rpartition(" of ")[2]
    why = (
        f"live rows and duplicates: the predicate {known.lifecycle.predicate} would run {known.foreign} with this"
        f" role's rights; audit as {owner}, or say with --where which rows are live"
    )
    return replace(known, live=None, unknowns=(why,))


def _count(reader: Reader, scene: Scene, known: list[Measured]) -> list[Measured]:
    rows = _rows_estimate(reader, scene)
    known = [replace(each, rows_estimate=rows) for each in known]
    if rows is not None and rows > scene.limits.huge_rows:
        known = _sampled(reader, scene, known, rows)
    large = rows is not None and rows > scene.limits.large_rows
    first = [each if each.foreign or _skipped(each, large=large) else None for each in known]
    chosen = [number for number, each in enumerate(first) if each is None]
    only_live = {number for number in chosen if large and known[number].lifecycle.predicate is not None}
    queries = [
        KeyQuery(scene.keys[number].columns, known[number].lifecycle.predicate if number in only_live else None)
        for number in chosen
    ]
    with reader.block(scene.limits.timeout_ms()):
        counts = count_keys(reader, scene.table, queries)
    for number, of in zip(chosen, counts, strict=True):
        known[number] = _live_only(known[number], of) if number in only_live else replace(known[number], every=of)
    return _count_live(reader, scene, known)


def _count_live(reader: Reader, scene: Scene, known: list[Measured]) -> list[Measured]:
    """Where a key repeats, look again at the lifecycle with the values at hand, and count the live rows."""
    repeated = any(each.every and each.every.groups for each in known)
    columns = lifecycle_columns(scene.table) if repeated else ()
    values = {}
    if columns:
        with reader.block(scene.limits.timeout_ms()):
            values = {name: count_values(reader, scene.table, name) for name in columns}
    for number, (key, each) in enumerate(zip(scene.keys, known, strict=True)):
        if each.every is not None:
            shown = _shown_by_rows(reader, scene, key, each, values)
            seen = _known(scene, key, values, history=each.every.groups > 0, shown=shown)
            kept = each.coverage if seen.predicate == each.predicate else seen.coverage
            known[number] = replace(
                each,
                coverage=kept,
                lifecycle=seen.lifecycle,
                predicate=seen.predicate,
                siblings=seen.siblings,
                foreign=seen.foreign,
            )
    pending = [
        n
        for n, each in enumerate(known)
        if each.every is not None and each.lifecycle.predicate is not None and not each.foreign
    ]
    queries = [KeyQuery(scene.keys[number].columns, known[number].lifecycle.predicate) for number in pending]
    if not pending:
        return _all_live(known)
    with reader.block(scene.limits.timeout_ms()):
        counts = count_keys(reader, scene.table, queries)
    for number, of in zip(pending, counts, strict=True):
        known[number] = _told_by_rows(scene, number, replace(known[number], live=_whole(of)), values)
    return [_retired(reader, scene, key, each) for key, each in zip(scene.keys, _all_live(known), strict=True)]


def _retired(reader: Reader, scene: Scene, key: CandidateKey, known: Measured) -> Measured:
    """The assignment completed by what the rows that are retired today have in common, where rows must be retired."""
    of, override = known.lifecycle, scene.overrides.get(key.columns)
    if not known.live or not known.live.groups or not of.predicate or (override and override.assign is not None):
        return known
    named = [name for name, _ in of.assign] or list(of.columns)
    by_name = scene.table.by_name
    conditions_of = [each for each in parse(of.predicate) if each.column in by_name and form_of(by_name[each.column])]
    retire = next((each for each in conditions_of if each.column in named), None)
    if retire is None:
        return known
    with reader.block(scene.limits.timeout_ms()):
        assign, reasons = moving(reader, scene.table, KeyQuery(key.columns, of.predicate), retire, of.assign)
    return replace(known, lifecycle=replace(of, assign=assign, reasons=(*of.reasons, *reasons)))


def _shown_by_rows(reader: Reader, scene: Scene, key: CandidateKey, known: Measured, values: Values) -> Chosen | None:
    """Who is live by what the rows of a repeated key show; None where no column offers to say, or a person has."""
    override = scene.overrides.get(key.columns)
    if known.every is None or not known.every.groups or (override and override.predicate is not None):
        return None
    words = statuses(scene.catalog, scene.table, key.columns, values)
    offered = conditions(scene.table, key.columns, values, words)
    if not offered:
        return None
    with reader.block(scene.limits.timeout_ms()):
        hole = unguarded_part(scene.table, key.columns)
        within = KeyQuery(key.columns, render([hole[0]]) if hole else None)
        return choose(scene.table, count_signs(reader, scene.table, within, offered), (hole[0],) if hole else ())


def _told_by_rows(scene: Scene, number: int, known: Measured, values: Values) -> Measured:
    """The same without a predicate that no row satisfies, where its column may say nothing."""
    key, of = scene.keys[number], known.lifecycle.columns
    silent = known.live is not None and known.live.rows == 0 and known.every is not None and known.every.keyed > 0
    if not silent or len(of) != 1 or not may_say_nothing(scene.table, of[0]) or scene.overrides.get(key.columns):
        return known
    again = _known(scene, key, values, ignored=of)
    if again.lifecycle.predicate is not None:
        return known  # another column would have to be counted first
    return replace(known, live=None, coverage=again.coverage, lifecycle=again.lifecycle, predicate=again.predicate)


def _all_live(known: list[Measured]) -> list[Measured]:
    """Where no predicate tells them apart, every row is live."""
    return [
        replace(each, live=_whole(each.every)) if each.every and not each.live and not each.foreign else each
        for each in known
    ]


def _sampled(reader: Reader, scene: Scene, known: list[Measured], rows: float) -> list[Measured]:
    """A first look at a huge table: keys that repeat in most sampled rows need no full count."""
    queries = [
        KeyQuery(key.columns, None if each.foreign else each.lifecycle.predicate)
        for key, each in zip(scene.keys, known, strict=True)
    ]
    with reader.block(scene.limits.timeout_ms()):
        percent = min(100.0, 100.0 * scene.limits.sample_rows / rows)
        counts = count_keys(reader, scene.table, queries, percent)
    return [replace(each, sample=_whole(of)) for each, of in zip(known, counts, strict=True)]


def _skipped(known: Measured, *, large: bool) -> bool:
    """Whether a key of a large table needs no count: it is guarded, or its sample repeats on purpose."""
    repeats = known.sample is not None and known.sample.distinct * 2 < known.sample.rows
    return large and (known.coverage.guarded or repeats)


def _live_only(known: Measured, counts: KeyCounts) -> Measured:
    return replace(known, live=_whole(counts))


def _whole(counts: KeyCounts) -> KeyCounts:
    """The counts without the rows that have a NULL in the key."""
    return replace(counts, rows=counts.rows - counts.nulls, nulls=0)


def _described(reader: Reader, scene: Scene, key: CandidateKey, known: Measured) -> Measured:
    """The same with its duplicates in detail, and with what was left unmeasured."""
    unknowns = _left_out(known, scene.limits.large_rows)
    if not _worth_describing(known):
        return replace(known, unknowns=unknowns, details=_how_made(reader, scene, key, known))
    query = KeyQuery(key.columns, known.lifecycle.predicate)
    try:
        with reader.block(scene.limits.timeout_ms() or 1):
            details = _details(reader, scene, query, known)
            known = _doubted(reader, scene, query, known)
    except psycopg.Error as error:
        return replace(known, unknowns=(*unknowns, "the duplicate groups: " + _why(scene.table, error)))
    return replace(known, details=details, unknowns=unknowns)


def _doubted(reader: Reader, scene: Scene, query: KeyQuery, known: Measured) -> Measured:
    """The same with what a person must decide."""
    of = known.lifecycle
    found = [*of.questions, *open_where_null(reader, scene.table, query, known.every)]
    if known.live and known.live.groups:
        found += doubts(reader, scene.catalog, scene.table, query, of)
    return replace(known, lifecycle=replace(of, questions=tuple(found)))


def _how_made(reader: Reader, scene: Scene, key: CandidateKey, known: Measured) -> Details | None:
    """Of a key that repeats in most rows, when the rows were made: a race leaves them within seconds."""
    counts = known.live or known.every
    if counts is None or not counts.groups or counts.rows > scene.limits.large_rows or known.coverage.guarded:
        return None
    try:
        with reader.block(scene.limits.timeout_ms() or 1):
            return Details(bursts=bursts(reader, scene.table, KeyQuery(key.columns, known.lifecycle.predicate)))
    except psycopg.Error:
        return None  # one sign less; what it says is asked for again where the key is planned


def _worth_describing(known: Measured) -> bool:
    counts = known.every or known.live
    if counts is None or (known.coverage.guarded and not (counts.groups or counts.open_groups)):
        return False
    if counts.rows >= FEW and all(of.keys * 2 < of.keyed for of in (counts, known.live or counts)):
        return False  # it repeats on purpose: its groups are no damage
    return bool(counts.groups or counts.open_groups) or (known.every is not None and known.every.rows > 0)


def _details(reader: Reader, scene: Scene, query: KeyQuery, known: Measured) -> Details:
    table = scene.table
    column = known.lifecycle.columns[0] if known.lifecycle.columns else None
    details = Details()
    if known.live and known.live.groups:
        details = describe_duplicates(reader, table, query, known.lifecycle.survivor, column)
        if scene.catalog.activity and details.groups:
            made = created_through(reader, scene.catalog.activity, table, details.groups)
            details = replace(details, activity=made)
    if known.every and known.every.groups and column:
        details = replace(details, by_value=by_value(reader, table, query, column))
    if _foldable(scene, query, known):
        details = replace(details, variants=count_variants(reader, table, query))
    return details


def _foldable(scene: Scene, query: KeyQuery, known: Measured) -> bool:
    """Whether values are folded to find those that differ by case or blanks: it takes longer than to count them."""
    text = len(query.columns) == 1 and scene.table.by_name[query.columns[0]].category == "S"
    return text and known.every is not None and known.every.rows <= scene.limits.large_rows


def _known(
    scene: Scene,
    key: CandidateKey,
    values: Values | None = None,
    *,
    history: bool = False,
    ignored: Sequence[str] = (),
    shown: Chosen | None = None,
) -> Measured:
    """What structure says of one key, with the lifecycle's values where they were counted."""
    catalog, table = scene.catalog, scene.table
    override = scene.overrides.get(key.columns)
    beside = siblings(catalog, table, key.columns)
    found = lifecycle(
        catalog,
        table,
        key.columns,
        values=values,
        history=history,
        override=override,
        hint=key.predicate,
        ignored=ignored,
        shown=shown,
    )
    return Measured(
        coverage=coverage(table, key.columns, parse(found.predicate)),
        lifecycle=found,
        predicate=whole_predicate(table, key.columns, found.predicate),
        siblings=tuple(f"{other.schema}.{other.name} ({index.name})" for other, index in beside[:SIBLINGS_NAMED]),
        rows_estimate=catalog.rows_estimate(table),
        foreign="" if override and override.predicate is not None else called_by(found.predicate, catalog.foreign),
    )


def _ask_coverage(reader: Reader, scene: Scene, key: CandidateKey, known: Measured) -> Measured:
    """Where the text of two predicates cannot tell, PostgreSQL's planner may."""
    if not _undecided(known) or known.predicate is None:
        return known
    foreign = scene.catalog.foreign
    if known.foreign or any(called_by(check.expression, foreign) for check in scene.table.checks):
        return known  # the planner folds what a proof reads: it would be run
    indexes = [
        index
        for index in scene.table.indexes
        if index.name in known.coverage.undecided and not called_by(index.predicate, foreign)
    ]
    with reader.block(scene.limits.timeout_ms()):
        proven = {
            index.name
            for index in indexes
            if index.predicate and proves(reader, scene.table, known.predicate, index.predicate)
        }
    return replace(known, coverage=coverage(scene.table, key.columns, parse(known.lifecycle.predicate), proven))


def _undecided(known: Measured) -> bool:
    return bool(known.coverage.undecided and known.predicate and not known.coverage.guarded)


def _rows_estimate(reader: Reader, scene: Scene) -> float | None:
    """The planner's estimate; for a table that was never analysed, one from its size."""
    rows = scene.catalog.rows_estimate(scene.table)
    if rows is None and scene.table.kind == "r":
        with reader.block(scene.limits.timeout_ms()):
            rows = reader.row("SELECT pg_catalog.pg_relation_size(%s::oid)", (scene.table.oid,))[0] / BYTES_A_ROW
    return rows


def _left_out(known: Measured, large_rows: int) -> tuple[str, ...]:
    about = "" if known.rows_estimate is None else f" of about {known.rows_estimate:,.0f} rows"
    if known.every is not None and known.every.rows > large_rows and not known.coverage.guarded:
        return (f"values that differ by case or blanks: not looked for in a table{about}",)
    if known.every is not None:
        return ()
    if known.live is not None:
        return (f"rows and distinct: in a table{about} only the live rows were counted",)
    if known.coverage.guarded:
        return (f"rows and distinct: not counted, the key is guarded in a table{about}",)
    return (f"rows and duplicates: in a sample of a table{about} the key repeats in most rows; not counted whole",)


def _unreadable(table: Table) -> str | None:
    if not table.selectable:
        return f"rows and duplicates: this role may not read {_name(table)}; GRANT SELECT on it"
    if table.row_security:
        return (
            f"rows and duplicates: row-level security hides rows of {_name(table)} from this role;"
            " audit as its owner or a role with BYPASSRLS"
        )
    return None


def _refuse_bad_override(scene: Scene, error: psycopg.Error) -> None:
    """A statement that fails to parse or to type is the fault of a predicate that a person gave, where there is one."""
    given = {columns: of.predicate for columns, of in scene.overrides.items() if of and of.predicate}
    if given and (error.sqlstate or "").startswith("42") and error.sqlstate != "42501":
        raise PredicateError(
            f"the predicate for {_name(scene.table)} does not fit: {' / '.join(filter(None, given.values()))}",
            why=(str(error).strip().splitlines() or ["PostgreSQL refused it"])[0],
            fix="write SQL over the table's own columns, such as status = 'open'",
        ) from error


def _name(table: Table) -> str:
    return f"{table.schema}.{table.name}"


def _why(table: Table, error: psycopg.Error) -> str:
    """Why nothing was measured, with what to do."""
    known = {
        "42501": f"this role may not read all of {_name(table)}; GRANT SELECT on it",
        "55P03": f"{_name(table)} was locked by another session; run again later",
        "57014": f"{_name(table)} took longer than its time budget; raise --table-budget or --budget",
        "40001": f"replay on this standby cancelled the query on {_name(table)}; run again, or on the primary",
        "42883": f"a column of the key in {_name(table)} has a type that PostgreSQL cannot compare",
    }
    state = error.sqlstate or "no SQLSTATE"
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return "rows and duplicates: " + known.get(state, f"{first} ({state})")
