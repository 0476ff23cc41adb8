"""How much an unguarded key matters, and why, in the words of an audit. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from vaccine.audit.counts import KeyCounts
from vaccine.audit.coverage import Coverage
from vaccine.audit.finding import Priority, Writer
from vaccine.audit.groups import Details
from vaccine.audit.hints.statistics import like_a_key
from vaccine.catalog.model import Table
from vaccine.predicates import parse, quote, render

FEW_ROWS = 10  # below: too little data to say, or to hurt
ENOUGH_ROWS = 20  # from here on the share of distinct keys means something
KEY_SHARE = 0.5  # fewer distinct keys than this share of the rows: they repeat on purpose
STRAY_SHARE = 0.15  # excess rows up to this share of the rows are damage, not a way of life
STRAY_NAMES = 0.03  # up to here they are strays even of a name or a title, which other rows may share by right
MOSTLY_NULL = 0.9
ACTIVE = 0.5  # confidence from which a writer counts as active
RACED = 0.5  # of the excess rows, made within seconds of another one: from here on they are races
FEW_PAIRS, PAIRS = 1.65, 2.6  # rows a key, on average: a race; what may be one, of a key by its name
SPREAD = 0.1  # up to here their times are a habit
GROUP_ROWS = 5  # rows a key, on average: from here on it groups them
DAMAGED, UNCLEAR = 1.0, 0.5  # what must speak for a key that repeats in most rows
FOUND_FIRST = "find-then-insert"
LOG = re.compile(
    r"(^|_)(logs?|logged|changelogs?|histor(y|ies|ical)|audits?|audit_trail|journals?|trace|traces|measurements?|"
    r"telemetry|metrics?|heartbeats?|births?)(_|$)"
)
LOOKUP = re.compile(r"(^|_)(hash|fingerprint|digest|checksum|idempotency|dedupe|dedup|dedupe_key|idempotency_key)(_|$)")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A priority with its score (0 to 1) and its reasons, the weightiest first."""

    priority: Priority
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a judgement rests on. `every` counts all rows, `live` the live ones; None: not measured."""

    table: Table
    columns: tuple[str, ...]
    score: float
    coverage: Coverage
    every: KeyCounts | None = None
    live: KeyCounts | None = None
    sample: KeyCounts | None = None
    writers: Sequence[Writer] = ()
    siblings: Sequence[str] = ()
    filled_by_trigger: bool = False
    details: Details | None = None
    looked_up: bool = False  # statements or functions look rows up by it
    open_where_null: tuple[str, ...] = ()  # damage that no plain unique index would notice, in words


def judge(facts: Facts) -> Judgement:
    """The priority of one key."""
    settled = _settled(facts)
    if settled is not None:
        return settled
    invalid = tuple(_invalid(facts, name, enforces=enforces) for name, enforces in facts.coverage.invalid)
    groups, excess = _real_damage(facts)
    if groups:
        why = (_damage(groups, excess), *invalid, *_raced(facts), *_odd_values(facts), *_pattern(facts))
        if _by_habit(facts, excess) and _for_a_key(facts) < DAMAGED and _looked_up(facts):
            even = "the rows too many came evenly over time, so nobody raced"
            return Judgement(Priority.DECIDE, max(facts.score, 0.5), (why[0], even, *why[1:], _look_at(facts)))
        return Judgement(Priority.HIGH, _with_data(facts), why)
    if facts.sample and facts.sample.groups and not facts.live:
        return Judgement(Priority.HIGH, _raised(facts.score, 1.0), (_sampled_damage(facts.sample), *invalid))
    priority, reasons = _undamaged(facts)
    if invalid and priority is Priority.LOW:
        priority = Priority.MEDIUM
    pattern = _pattern(facts) if priority is not Priority.LOW else ()
    return Judgement(priority, _with_data(facts), (*invalid, *reasons, *_odd_values(facts), *pattern))


def _settled(facts: Facts) -> Judgement | None:
    """What needs no further look: a hole, a guard, a log, a key that repeats on purpose; or nobody can tell."""
    if facts.open_where_null:
        return Judgement(Priority.HIGH, _raised(facts.score, 1.0), facts.open_where_null)
    if facts.coverage.guarded:
        names = ", ".join(_guard(facts, name) for name in facts.coverage.guarded_by)
        return Judgement(Priority.GUARDED, facts.score, (f"guarded by {names}", *facts.coverage.holes))
    log = _log(facts)
    if log:
        return Judgement(Priority.LOG, facts.score / 4, log)
    shared = _intentional(facts)
    if not shared or _for_a_key(facts) >= DAMAGED:
        return None
    if (_for_a_key(facts) >= UNCLEAR or _few_each(facts)) and not facts.sample:
        return Judgement(Priority.DECIDE, max(facts.score, 0.5), (*_speaks_for(facts), *shared, _look_at(facts)))
    return Judgement(Priority.INTENTIONAL, facts.score / 4, shared)


def _for_a_key(facts: Facts) -> float:
    """How much speaks for a key that repeats in most rows; the share of its repeats alone says nothing."""
    spread = facts.details.bursts if facts.details else None
    raced = -1.0 if spread is not None and spread <= SPREAD else 0.0
    if _raced(facts):
        raced = 1.0 if _rows_a_key(facts) < FEW_PAIRS else 0.5
    looked_up = any(writer.verdict == FOUND_FIRST for writer in facts.writers) or facts.looked_up
    return raced + (1.0 if looked_up else 0.0) + (0.5 if facts.siblings else 0.0)


def _few_each(facts: Facts) -> bool:
    """Whether a key by its name repeats a few times each, and no column says when: nobody can tell."""
    every, unknown = facts.every, facts.details is None or facts.details.bursts is None
    return bool(every and unknown and every.keyed < GROUP_ROWS * every.keys and _looked_up(facts))


def _speaks_for(facts: Facts) -> tuple[str, ...]:
    found = [*_raced(facts)]
    if facts.siblings:
        found.append(f"{facts.siblings[0]} guards the same key")
    if facts.looked_up:
        found.append("rows are looked up by it")
    return tuple(found)


def _raced(facts: Facts) -> tuple[str, ...]:
    spread = facts.details.bursts if facts.details else None
    if spread is None or spread < RACED or not _pairs(facts):
        return ()
    return (f"{spread:.0%} of the rows too many were made within 10 s of another one: writers raced",)


def _pairs(facts: Facts) -> bool:
    """Whether the rows of a key are a pair now and then, as a race leaves them.

    The lines of an order are made within a second too, and so is all that an import brings.
    """
    references = {name for key in facts.table.foreign_keys for name in key.columns}
    if len(facts.columns) == 1 and facts.columns[0] in references:
        return False
    return _rows_a_key(facts) < (PAIRS if _looked_up(facts) else FEW_PAIRS)


def _rows_a_key(facts: Facts) -> float:
    counts = facts.live or facts.every
    return counts.keyed / counts.keys if counts and counts.keys else math.inf


def _look_at(facts: Facts) -> str:
    key = ", ".join(map(quote, facts.columns))
    table = f"{quote(facts.table.schema)}.{quote(facts.table.name)}"
    query = f"SELECT {key}, count(*) FROM {table} GROUP BY {key} HAVING count(*) > 1 ORDER BY 2 DESC"  # noqa: S608  shown
    return f"damage or groups? look at: {query} LIMIT 20"


def _guard(facts: Facts, name: str) -> str:
    """An index with the rows that it is for, where those are not all."""
    index = next((index for index in facts.table.indexes if index.name == name), None)
    conditions = parse(index.predicate) if index else ()
    live = render(c for c in conditions if not (c.kind == "not null" and c.column in facts.columns))
    return f"{name} (rows with {live})" if live else name


def is_log(table: Table) -> bool:
    """Whether a table's name says that it is an append-only record."""
    return bool(LOG.search(table.name))


def _log(facts: Facts) -> tuple[str, ...]:
    every = facts.every
    if every and every.rows >= ENOUGH_ROWS and every.nulls >= MOSTLY_NULL * every.rows:
        share = f"{_percent(every.nulls, every.rows)} of {every.rows:,} rows have no {facts.columns[0]}"
        if is_log(facts.table) or facts.filled_by_trigger:
            return (f"a log: {share}",)
    if is_log(facts.table) and facts.live and facts.live.groups:
        return ("a log by its name: rows are added, never looked up to be changed",)
    return ()


def _intentional(facts: Facts) -> tuple[str, ...]:
    """Keys that repeat in most rows group on purpose: nobody looks for *the* row by them."""
    every, live, sample = facts.every, facts.live, facts.sample
    if sample and not live and sample.rows >= ENOUGH_ROWS and sample.distinct < KEY_SHARE * sample.rows:
        return (f"groups rows on purpose: {sample.distinct:,} distinct in a sample of {sample.rows:,} rows",)
    if every is None or every.keyed < FEW_ROWS or every.keys >= KEY_SHARE * every.keyed:
        return ()
    if live and live.keyed >= ENOUGH_ROWS and live.keys >= KEY_SHARE * live.keyed:
        return ()
    return (f"groups rows on purpose: {every.keys:,} distinct in {every.keyed:,} rows",)


def _real_damage(facts: Facts) -> tuple[int, int]:
    """Live groups and rows too many, without those whose key stands for no value."""
    if facts.live is None or not facts.live.groups:
        return 0, 0
    aside = facts.details.placeholders if facts.details else ()
    return facts.live.groups - len(aside), facts.live.excess - sum(group.size - 1 for group in aside)


def _with_a_value(facts: Facts, counts: KeyCounts) -> tuple[int, int]:
    """The rows whose key stands for a value, and their distinct keys. `KeyCounts` has set the empty string aside."""
    aside = [group for group in facts.details.placeholders if group.key[0]] if facts.details else []
    return counts.keyed - sum(group.size for group in aside), counts.keys - len(aside)


def _odd_values(facts: Facts) -> tuple[str, ...]:
    """What is odd about the values themselves: one that stands for none, and keys that differ by case alone."""
    if facts.details is None:
        return ()
    name = facts.columns[0]
    found = [
        f"{group.size:,} rows have {name} = {group.key[0]!r}, which stands for no value: make it NULL first"
        for group in facts.details.placeholders
    ]
    if facts.details.variants:
        found.append(f"{facts.details.variants:,} values of {name} equal another but for case or blanks")
    return tuple(found)


def _undamaged(facts: Facts) -> tuple[Priority, tuple[str, ...]]:
    rows = facts.every.rows if facts.every else facts.live.rows if facts.live else None
    writers = [writer for writer in facts.writers if writer.confidence >= ACTIVE]
    writing = _writing(writers)
    if rows is None:
        return (Priority.MEDIUM if writers else Priority.LOW), (f"no unique index; rows not counted; {writing}",)
    if rows == 0:
        return Priority.LOW, ("no unique index; the table is empty",)
    if rows < FEW_ROWS:
        return Priority.LOW, (f"no unique index; only {rows} row{'s' if rows > 1 else ''}",)
    among = f"{rows:,} rows"
    if facts.live and facts.every and facts.live.rows < facts.every.rows - facts.every.nulls:
        among = f"{facts.live.rows:,} live rows"
    other = "other " if facts.live and facts.live.groups else ""
    so_far = f"no {other}duplicate{' yet' if writers else ''} in {among}"
    if not writers:
        return Priority.LOW, (f"no unique index; {so_far}; {writing}",)
    if any(LOOKUP.search(name) for name in facts.columns) and rows >= 10 * FEW_ROWS and _busy(writers):
        return Priority.HIGH, (f"no unique index on a lookup key; {writing}; {so_far}",)
    return Priority.MEDIUM, (f"no unique index; {writing}; {so_far}",)


def _busy(writers: Sequence[Writer]) -> bool:
    return any(writer.confidence >= 0.8 for writer in writers)


def _damage(groups: int, excess: int) -> str:
    many = "s" if groups > 1 else ""
    return f"{groups:,} live duplicate group{many}, {excess:,} row{'s' if excess > 1 else ''} too many; no unique index"


def _percent(part: int, whole: int) -> str:
    return "over 99%" if part < whole and part > 0.995 * whole else f"{part / whole:.0%}"


def _sampled_damage(sample: KeyCounts) -> str:
    return (
        f"at least {sample.groups:,} live duplicate groups: seen in a sample of {sample.rows:,} rows; no unique index"
    )


def _invalid(facts: Facts, name: str, *, enforces: bool) -> str:
    if facts.table.kind == "p":
        return f"index {name} is INVALID: not every partition has its part of it"
    if enforces:
        return f"index {name} is INVALID but ready: it rejects new duplicates, yet ON CONFLICT cannot use it"
    return f"index {name} is INVALID and not ready: it enforces nothing"


def _pattern(facts: Facts) -> tuple[str, ...]:
    return (f"{facts.siblings[0]} has the right pattern",) if facts.siblings else ()


def _writing(writers: Sequence[Writer]) -> str:
    """Who writes: by name where one is known; else that rows were inserted."""
    names = [_named(writer) for writer in writers if writer.kind != "statistics"]
    if names:
        return "written by " + ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    return writers[0].evidence if writers else "no known writer"


def _named(writer: Writer) -> str:
    return writer.place if writer.kind == "source" and writer.place else f"{writer.kind} {writer.name}"


def _with_data(facts: Facts) -> float:
    """The score after a look at the rows: a key that does not repeat in many rows is likely one.

    One that repeats now and then is damaged, or is none, as names of people: it gains less, unless its name
    says that it is looked up.
    """
    counts = facts.live if facts.live and facts.live.keyed >= FEW_ROWS else facts.every or facts.live
    rows, keys = _with_a_value(facts, counts) if counts else (0, 0)
    if rows < FEW_ROWS:
        return facts.score
    excess = rows - keys
    sure = min(2.5, math.log10(rows))
    if excess == 0:
        return _raised(facts.score, sure)
    if _for_a_key(facts) >= DAMAGED:
        return _raised(facts.score, sure)
    if _by_habit(facts, excess):
        return _raised(facts.score, -1.0)
    if _looked_up(facts):
        few, some = excess <= STRAY_NAMES * rows, excess <= STRAY_SHARE * rows
        return _raised(facts.score, sure + 1.0 if few else 0.75 * sure if some else sure / 2)
    return _raised(facts.score, sure / 2 if excess <= STRAY_NAMES * rows else -1.0)


def _by_habit(facts: Facts, excess: int) -> bool:
    """Whether the rows too many came evenly over time: nobody raced, so the key may repeat by right."""
    spread = facts.details.bursts if facts.details else None
    many = facts.live is not None and excess > STRAY_SHARE * facts.live.keyed
    return many and spread is not None and spread <= SPREAD


def _looked_up(facts: Facts) -> bool:
    """Whether the columns are such that an application finds its row by them: a key's name, or a pair of references."""
    columns, references = facts.table.by_name, {name for key in facts.table.foreign_keys for name in key.columns}
    if len(facts.columns) > 1 and set(facts.columns) <= references:
        return True
    return any(name in columns and like_a_key(columns[name]) for name in facts.columns)


def _raised(score: float, by: float) -> float:
    """The score with `by` added to its log-odds."""
    bounded = min(max(score, 0.01), 0.99)
    return 1 / (1 + math.exp(-(math.log(bounded / (1 - bounded)) + by)))
