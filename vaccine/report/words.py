"""How findings read in every form: names, numbers, ages, and what to run next."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from vaccine.audit.finding import DEFECTS, Finding, Lifecycle, Priority, Writer
from vaccine.audit.run import Audit, key_text
from vaccine.text import one_line

UNKNOWNS_SHOWN = 8
VALUE_SHOWN = 30
_SECONDS = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.\d+(?:[+-]\d\d(?::\d\d)?)?$")
STILL_S = 7 * 86_400  # a duplicate that is not older: it still happens


def key_name(finding: Finding) -> str:
    """`table.column` or `table (column, …)`, with the schema where it is not public."""
    table = finding.table if finding.schema == "public" else f"{finding.schema}.{finding.table}"
    if not finding.columns:
        return one_line(table)
    joined = f"{table}.{finding.columns[0]}" if len(finding.columns) == 1 else f"{table} ({', '.join(finding.columns)})"
    return one_line(joined)


def number(value: int | None) -> str:
    """A count, or a question mark where it was not measured."""
    return "?" if value is None else f"{value:,}"


def rows_text(finding: Finding) -> str:
    """The rows, or the planner's estimate behind a tilde."""
    estimate = of(finding, "rows_estimate")
    if finding.rows is None and isinstance(estimate, int):
        return f"~{estimate:,}"
    return number(finding.rows)


def of(finding: Finding, name: str) -> Any:
    """One piece of a finding's details; None where it is missing."""
    return dict(finding.details).get(name)


def duplicates_text(finding: Finding) -> str:
    """Live duplicates in short: groups and rows too many."""
    if finding.live_duplicate_groups is None:
        return "?"
    return f"{finding.live_duplicate_groups:,} / {finding.live_excess_rows:,}" if finding.live_duplicate_groups else "0"


def story(finding: Finding) -> list[str]:
    """What else is known of a damaged key, a sentence each: where, when, by whom, how it is told."""
    lines = [*_lifecycle(finding), *_values(finding)]
    by_value: list[Any] = of(finding, "duplicates_by_value") or []
    parts = [
        f"{'NULL' if one['value'] is None else one['value']}: {counted(one['groups'], 'group')},"
        f" {counted(one['excess_rows'], 'row')} too many"
        for one in by_value
    ]
    if parts:
        lines.append(f"duplicates by {by_value[0]['column']}: {'; '.join(parts[:6])}")
    age = of(finding, "newest_duplicate_age_s")
    if age is not None:
        still = "still being duplicated; " if age < STILL_S else ""
        made_at = str(of(finding, "newest_duplicate_at"))[:16].replace("T", " ")
        lines.append(f"{still}newest duplicate: {age_text(age)} ago ({made_at})")
    made = [f"{one['value']} ({one['rows']:,})" for one in of(finding, "sources") or ()]
    if made:
        lines.append(f"rows of duplicate groups by {of(finding, 'sources')[0]['column']}: {', '.join(made)}")
    through = [
        f"{one['user_agent'] or 'a flow or script'} ({one['rows']:,})" for one in of(finding, "created_through") or ()
    ]
    if through:
        lines.append(f"created through Directus by: {', '.join(through)}")
    writing = writers_text(finding.writers)
    if writing:
        lines.append(f"writers: {writing}")
    return [one_line(line) for line in lines]


def _lifecycle(finding: Finding) -> list[str]:
    found = finding.lifecycle
    if found is None:
        return []
    decide = [f"decide: {each.text}: {' or '.join(each.options)}" for each in found.questions]
    if not found.predicate:
        return [
            "live rows: all; no column says otherwise" if not decide else "live rows: all, as things stand",
            *decide,
        ]
    why = f"  ({found.reasons[0]})" if found.reasons else ""
    return [f"live rows: {found.predicate}{why}", *(_retired(found) if found.assign else ()), *decide]


def _retired(found: Lifecycle) -> tuple[str, ...]:
    """How a row is retired; the reasons that no column of the assignment is named in are those of the predicate."""
    names = tuple(f"{name}:" for name, _ in found.assign)
    return tuple(
        each for each in found.reasons if each.startswith(("a row is retired by", "how a row is retired", *names))
    )


def _values(finding: Finding) -> list[str]:
    """Which rows have no key, and which keys only look different."""
    lines, rows = [], finding.rows or 0
    name = finding.columns[0] if len(finding.columns) == 1 else "some column of the key"
    nulls, empty = of(finding, "null_rows"), of(finding, "empty_rows")
    if nulls and rows:
        lines.append(f"{nulls:,} of {rows:,} rows ({nulls / rows:.0%}) have NULL in {name}")
    if empty:
        lines.append(f"{counted(empty, 'row')} with an empty string in {name}: to a unique index that is a value")
    if of(finding, "groups_with_null"):
        lines.append(f"{counted(of(finding, 'groups_with_null'), 'group')} more with NULL in some column of the key")
    variants = of(finding, "case_or_blank_variants")
    if variants:
        lines.append(f"{variants:,} keys equal another one but for case or blanks: a unique index lets those pass")
    return lines


def group_line(finding: Finding, group: Any) -> str:
    """One duplicate group: its key, how many rows, and which."""
    ids = " ".join(group["ids"]) if any(group["ids"]) else ""
    shown = f", ids {ids}" if ids else ""
    more = " …" if ids and group["rows"] > len(group["ids"]) else ""
    survivor = " (the first would stay)" if ids and finding.lifecycle and finding.lifecycle.survivor else ""
    return one_line(f"{group_key(group)}: {group['rows']:,} rows{shown}{more}{survivor}")


def group_key(group: Any) -> str:
    """The key of a duplicate group; an empty string is seen."""
    return ", ".join("NULL" if value is None else str(value) or "''" for value in group["key"])


def row_lines(finding: Finding, group: Any, most: int = 3) -> list[str]:
    """The first rows of a group, by what differs between them; none where nothing that is shown does."""
    columns: list[str] = of(finding, "row_columns") or []
    rows = group["values"]
    ids = len(group["ids"][0].split(",")) if any(group["ids"]) else 0
    differing = [n for n in range(ids, len(columns)) if len({row[n] for row in rows}) > 1]
    if not differing:
        return []
    return [
        one_line(f"{one}  " + ", ".join(f"{columns[n]} {_short(row[n])}" for n in differing))
        for one, row in list(zip(group["ids"], rows, strict=True))[:most]
    ]


def _short(value: str | None) -> str:
    """A value of a row in brief: times to the second, texts to 30 characters."""
    if value is None:
        return "NULL"
    brief = _SECONDS.sub(r"\1", value)
    return brief if len(brief) <= VALUE_SHOWN else brief[: VALUE_SHOWN - 1] + "…"


def groups_left(finding: Finding) -> str | None:
    """How many groups are not shown."""
    shown = of(finding, "groups") or ()
    rest = (finding.live_duplicate_groups or 0) - len(shown)
    return f"… and {counted(rest, 'group')} more" if shown and rest > 0 else None


def counted(number: int, noun: str) -> str:
    """A number and its noun: `1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def age_text(seconds: float) -> str:
    """An age in the largest unit that fits: `3 days`."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return "less than a minute"


def writers_text(writers: Iterable[Writer]) -> str:
    """Who writes, in short; grants alone are left out."""
    shown = [writer for writer in writers if writer.confidence >= 0.5]
    names = [w.evidence if w.kind == "statistics" else f"{w.kind} {w.place or w.name}" for w in shown]
    return one_line(", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else ""))


def unknowns(audit: Audit) -> list[str]:
    """What was not found out, each once, with the keys it is about; the longest lists are cut."""
    about: dict[str, list[str]] = {}
    for finding in audit.findings:
        for unknown in finding.unknowns if finding.columns and finding.priority in DEFECTS else ():
            about.setdefault(unknown, []).append(key_name(finding))
    lines = list(audit.unknowns)
    for unknown, keys in about.items():
        more = f" and {len(keys) - 3:,} more" if len(keys) > 3 else ""
        lines.append(f"{unknown}  [{', '.join(keys[:3])}{more}]")
    if len(lines) > UNKNOWNS_SHOWN:
        lines = [*lines[:UNKNOWNS_SHOWN], f"and {len(lines) - UNKNOWNS_SHOWN} more: see --format json"]
    return [one_line(line) for line in lines]


def acceptance_lines(audit: Audit) -> list[str]:
    """What the configuration accepts and no longer counts, or never counted."""
    lines = [
        f"{key_text(*key)} was accepted until {until} and counts again: renew it or remove it from the configuration"
        for key, until in audit.expired
    ]
    lines += [
        f"{key_text(*key)} is accepted, but no such key was found: correct it or remove it from the configuration"
        for key in audit.needless
    ]
    return [one_line(line) for line in lines]


def sections(audit: Audit) -> list[tuple[str, list[str]]]:
    """The lists at the end of a report, each with its title."""
    left = left_out(audit)
    return [
        ("INVALID indexes", invalid_lines(audit)),
        ("Accepted", acceptance_lines(audit)),
        ("Unknown", unknowns(audit)),
        ("Left out", [left.removeprefix("Left out: ")] if left else []),
    ]


def summary(audit: Audit) -> str:
    """How many tables, and findings by priority."""
    numbers = {priority: sum(f.priority is priority for f in audit.findings) for priority in Priority}
    parts = [f"{count:,} {priority.value}" for priority, count in numbers.items() if count]
    return f"{counted(audit.tables_audited, 'table')} audited: {', '.join(parts) or 'no candidate key'}."


def left_out(audit: Audit) -> str | None:
    """The tables that were left out and why; None when there are none."""
    if not audit.catalog.skipped:
        return None
    parts = ", ".join(f"{tables:,} of {why}" for why, tables in audit.catalog.skipped)
    return f"Left out: {parts} (--with-frameworks looks at those of frameworks)."


def invalid_lines(audit: Audit) -> list[str]:
    """The INVALID indexes, a line each, with what they do and what to run."""
    lines = []
    for index in audit.invalid_indexes:
        name = one_line(f"{index.schema}.{index.name} on {index.table}")
        if index.partitioned:
            lines.append(f"{name}: INVALID: not every partition has its part. ALTER INDEX … ATTACH PARTITION the rest.")
            continue
        if index.unique and index.ready:
            state = "INVALID but ready: it rejects duplicates, ON CONFLICT and the planner cannot use it"
        elif index.unique:
            state = "INVALID and not ready: it enforces nothing"
        else:
            state = "INVALID: the planner does not use it, yet it may cost each write"
        lines.append(f"{name}: {state}. REINDEX INDEX CONCURRENTLY it, or drop it.")
    return lines


def next_command(audit: Audit) -> str | None:
    """What to run next; None when there is nothing to do."""
    for finding in audit.findings:
        if finding.accepted or finding.priority not in DEFECTS:
            continue
        if finding.priority is Priority.HIGH:
            return "vaccine plan -o plan.json"
        name = key_text(finding.schema, finding.table, finding.columns)
        quoted = "'" + name.replace("'", "'\\''") + "'" if any(not (c.isalnum() or c in "._,") for c in name) else name
        return f"vaccine plan {one_line(quoted)}"
    return None
