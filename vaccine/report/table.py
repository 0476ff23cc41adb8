"""The audit for a terminal: what is broken on top, why, and what to run next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.markup import escape
from rich.table import Table

from vaccine.audit import Audit
from vaccine.finding import Finding, Priority

STYLE = {
    Priority.HIGH: "bold red",
    Priority.MEDIUM: "yellow",
    Priority.LOW: "cyan",
    Priority.GUARDED: "green",
    Priority.INTENTIONAL: "dim",
    Priority.LOG: "dim",
}
OPEN = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)


def show(audit: Audit, console: Any, *, everything: bool = False) -> None:
    """Print the audit; guarded, intentional and log keys are counted, or listed with `everything`."""
    shown = [finding for finding in audit.findings if everything or finding.priority in OPEN]
    if shown:
        console.print(_table(shown, console.width))
    else:
        console.print("No unguarded logical key found.")
    for finding in audit.findings:
        if finding.live_duplicate_groups and finding.priority is Priority.HIGH:
            console.print(_groups(finding))
    for line in _closing(audit, everything=everything):
        console.print(line, soft_wrap=True)


def _table(findings: Iterable[Finding], width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("PRIORITY", no_wrap=True)
    table.add_column("KEY", overflow="fold", min_width=20)
    table.add_column("ROWS", justify="right", no_wrap=True)
    table.add_column("DISTINCT", justify="right", no_wrap=True)
    table.add_column("WHY", overflow="fold", min_width=24)
    for finding in findings:
        style = STYLE[finding.priority]
        table.add_row(
            f"[{style}]{finding.priority.value.upper()}[/]",
            escape(key_name(finding)),
            _number(finding.rows),
            _number(finding.distinct),
            escape("; ".join(finding.reasons[: 2 if width >= 120 else 1])),
        )
    return table


def _groups(finding: Finding) -> str:
    details = dict(finding.details)
    lines = [f"\n[bold]{escape(key_name(finding))}[/] live duplicates (the first of each group survives):"]
    for group in details.get("groups", ()):  # type: ignore[attr-defined]
        key = ", ".join(str(value) for value in group["key"])
        lines.append(f"  {escape(key)}: {group['rows']} rows, ids {escape(' '.join(group['ids']))}")
    return "\n".join(lines)


def _closing(audit: Audit, *, everything: bool) -> list[str]:
    counted = {priority: sum(f.priority is priority for f in audit.findings) for priority in Priority}
    parts = [f"{number} {priority.value}" for priority, number in counted.items() if number]
    lines = ["", f"{audit.tables_audited:,} tables audited: {', '.join(parts) or 'no candidate key'}."]
    if audit.catalog.skipped:
        left_out = ", ".join(f"{tables} of {why}" for why, tables in audit.catalog.skipped)
        lines.append(f"Left out: {left_out}.")
    unknowns = sorted({unknown for finding in audit.findings for unknown in finding.unknowns if finding.columns})
    lines += [escape(f"Unknown: {unknown}") for unknown in (*audit.unknowns, *unknowns)[:10]]
    lines.append(f"{audit.statements_run} statements run, all READ ONLY: none wrote.")
    if counted[Priority.HIGH]:
        lines.append("Next: vaccine plan -o plan.json")
    return lines


def key_name(finding: Finding) -> str:
    """`table (column, …)`, with the schema where it is not public."""
    table = finding.table if finding.schema == "public" else f"{finding.schema}.{finding.table}"
    if not finding.columns:
        return table
    return f"{table}.{finding.columns[0]}" if len(finding.columns) == 1 else f"{table} ({', '.join(finding.columns)})"


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
