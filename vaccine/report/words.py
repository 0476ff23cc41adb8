"""How findings read in every form: names, numbers, ages, and what to run next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vaccine.audit import Audit, key_text
from vaccine.finding import Finding, Priority, Writer

DEFECTS = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)
UNKNOWNS_SHOWN = 8


def key_name(finding: Finding) -> str:
    """`table.column` or `table (column, …)`, with the schema where it is not public."""
    table = finding.table if finding.schema == "public" else f"{finding.schema}.{finding.table}"
    if not finding.columns:
        return printable(table)
    joined = f"{table}.{finding.columns[0]}" if len(finding.columns) == 1 else f"{table} ({', '.join(finding.columns)})"
    return printable(joined)


def printable(text: str) -> str:
    """The text on one line: control characters of a hostile name are shown, not obeyed."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


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
    lines = []
    if finding.lifecycle and finding.lifecycle.predicate:
        lines.append(
            f"live rows: {printable(finding.lifecycle.predicate)}  ({printable(finding.lifecycle.reasons[0])})"
        )
    elif finding.lifecycle:
        lines.append("live rows: all; no column says otherwise")
    if finding.lifecycle and finding.lifecycle.assign:
        lines += map(printable, finding.lifecycle.reasons[-1:])
    by_value: list[Any] = of(finding, "duplicates_by_value") or []
    parts = [f"{one['value']}: {one['groups']:,} groups, {one['excess_rows']:,} rows" for one in by_value]
    if parts:
        lines.append(printable(f"duplicates by {by_value[0]['column']}: {'; '.join(parts[:6])}"))
    age = of(finding, "newest_duplicate_age_s")
    if age is not None:
        lines.append(f"newest duplicate: {age_text(age)} ago ({str(of(finding, 'newest_duplicate_at'))[:16]})")
    made = [f"{one['value']} ({one['rows']:,})" for one in of(finding, "sources") or ()]
    if made:
        lines.append(printable(f"{of(finding, 'sources')[0]['column']}: {', '.join(made)}"))
    through = [
        f"{one['user_agent'] or 'a flow or script'} ({one['rows']:,})" for one in of(finding, "created_through") or ()
    ]
    if through:
        lines.append(printable(f"created through Directus by: {', '.join(through)}"))
    variants = of(finding, "case_or_blank_variants")
    if variants:
        lines.append(f"{variants:,} keys equal another one but for case or blanks: a unique index lets those pass")
    return lines


def age_text(seconds: float) -> str:
    """An age in the largest unit that fits: `3 days`."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


def writers_text(writers: Iterable[Writer]) -> str:
    """Who writes, in short; grants alone are left out."""
    shown = [f"{writer.kind} {writer.name}" for writer in writers if writer.confidence >= 0.5]
    return printable(", ".join(shown))


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
    return [printable(line) for line in lines]


def summary(audit: Audit) -> str:
    """How many tables, and findings by priority."""
    counted = {priority: sum(f.priority is priority for f in audit.findings) for priority in Priority}
    parts = [f"{count:,} {priority.value}" for priority, count in counted.items() if count]
    return f"{audit.tables_audited:,} tables audited: {', '.join(parts) or 'no candidate key'}."


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
        if index.unique and index.ready:
            state = "INVALID but ready: it rejects duplicates, ON CONFLICT and the planner cannot use it"
        elif index.unique:
            state = "INVALID and not ready: it enforces nothing"
        else:
            state = "INVALID: the planner does not use it, yet it may cost each write"
        name = printable(f"{index.schema}.{index.name} on {index.table}")
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
        return f"vaccine plan {printable(quoted)}"
    return None
