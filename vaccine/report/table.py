"""The audit for a terminal: what is broken on top, why, and what to run next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from vaccine.audit import Audit
from vaccine.finding import Finding, Priority
from vaccine.report import words

STYLE = {
    Priority.HIGH: "bold red",
    Priority.MEDIUM: "yellow",
    Priority.LOW: "cyan",
    Priority.GUARDED: "green",
    Priority.INTENTIONAL: "dim",
    Priority.LOG: "dim",
}
WIDE = 120
LOW_SHOWN = 40  # of the least urgent, unless all are asked for


def show(audit: Audit, console: Any, *, everything: bool = False) -> None:
    """Print the audit; guarded, intentional and log keys are counted, or listed with `everything`."""
    shown = [finding for finding in audit.findings if everything or finding.priority in words.DEFECTS]
    low = [finding for finding in shown if finding.priority is Priority.LOW]
    cut = 0 if everything else max(0, len(low) - LOW_SHOWN)
    hidden = set(map(id, low[LOW_SHOWN:])) if cut else set()
    shown = [finding for finding in shown if id(finding) not in hidden]
    if shown:
        console.print(_table(shown, console.width))
    if cut:
        console.print(f"… and {cut:,} more LOW: --all lists them.")
    for finding in shown:
        if finding.priority is Priority.HIGH:
            _show_damage(finding, console)
    _close(audit, console, found=bool(shown))


def _table(findings: Sequence[Finding], width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("PRIORITY", no_wrap=True)
    table.add_column("KEY", overflow="fold", max_width=max(24, width * 2 // 5))
    table.add_column("ROWS", justify="right", no_wrap=True)
    table.add_column("DISTINCT", justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("DUPLICATES", justify="right", no_wrap=True)
    table.add_column("WHY", overflow="fold")
    for finding in findings:
        cells = [
            f"[{STYLE[finding.priority]}]{finding.priority.value.upper()}[/]",
            escape(words.key_name(finding)),
            words.rows_text(finding),
            words.number(finding.distinct),
        ]
        if width >= WIDE:
            cells.append(words.duplicates_text(finding))
        table.add_row(*cells, escape(_why(finding, width)))
    return table


def _why(finding: Finding, width: int) -> str:
    """The first reason; on a wide screen the second too, which for LOW says why it is a key at all."""
    reasons = [words.printable(reason) for reason in finding.reasons]
    if finding.accepted:
        return f"accepted: {words.printable(finding.accepted)}"
    return "; ".join(reasons[: 2 if width >= WIDE else 1])


def _show_damage(finding: Finding, console: Any) -> None:
    groups = words.of(finding, "groups") or ()
    console.print(f"\n[bold]{escape(words.key_name(finding))}[/]")
    for line in words.story(finding):
        console.print(Padding(escape(line), (0, 0, 0, 2)))
    for group in groups:
        key = words.printable(", ".join(str(value) for value in group["key"]))
        ids = words.printable(" ".join(group["ids"]))
        survivor = "" if not finding.lifecycle or not finding.lifecycle.survivor else " (the first would stay)"
        console.print(Padding(escape(f"{key}: {group['rows']:,} rows, ids {ids}{survivor}"), (0, 0, 0, 2)))
    rest = (finding.live_duplicate_groups or 0) - len(groups)
    if groups and rest > 0:
        console.print(f"  … and {rest:,} groups more")


def _close(audit: Audit, console: Any, *, found: bool) -> None:
    console.print()
    if not found:
        console.print("[green]No unguarded logical key found.[/]")
    for line in words.invalid_lines(audit):
        console.print(f"[bold red]INVALID[/]   {escape(line)}")
    for line in words.unknowns(audit):
        console.print(f"[yellow]unknown[/]   {escape(line)}")
    console.print(escape(words.summary(audit)))
    left_out = words.left_out(audit)
    if left_out:
        console.print(escape(left_out))
    console.print(f"{audit.statements_run:,} statements run, all in READ ONLY transactions: none wrote.")
    command = words.next_command(audit)
    if command:
        console.print(f"Next: [bold]{escape(command)}[/]", soft_wrap=True)
