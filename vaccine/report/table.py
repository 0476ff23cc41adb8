"""The audit for a terminal of any width: what is broken on top, why, and what to run next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vaccine.audit.finding import DEFECTS, Finding, Priority
from vaccine.audit.run import Audit
from vaccine.report import words
from vaccine.text import one_line

STYLE = {
    Priority.HIGH: "bold red",
    Priority.MEDIUM: "yellow",
    Priority.DECIDE: "magenta",
    Priority.LOW: "cyan",
    Priority.GUARDED: "green",
    Priority.INTENTIONAL: "dim",
    Priority.LOG: "dim",
}
WIDE = 120  # narrower: the reasons stand under their key
LOW_SHOWN = 40  # of the least urgent, unless all are asked for
HEADINGS = ("PRIORITY", "KEY", "ROWS", "DISTINCT", "DUPLICATES")


def show(audit: Audit, console: Any, *, everything: bool = False) -> None:
    """Print the audit; guarded, intentional and log keys are counted, or listed with `everything`."""
    shown = [finding for finding in audit.findings if everything or finding.priority in DEFECTS]
    low = [finding for finding in shown if finding.priority is Priority.LOW]
    cut = 0 if everything else max(0, len(low) - LOW_SHOWN)
    hidden = set(map(id, low[LOW_SHOWN:])) if cut else set()
    shown = [finding for finding in shown if id(finding) not in hidden]
    if shown and console.width >= WIDE:
        console.print(_table(shown, console.width))
    elif shown:
        _list(shown, console)
    if cut:
        console.print(f"… and {cut:,} more LOW: --all lists them.")
    for finding in shown:
        if finding.priority is Priority.HIGH:
            _show_damage(finding, console)
    _close(audit, console, found=bool(shown))


def _table(findings: Sequence[Finding], width: int) -> Table:
    longest = max(cell_len(words.key_name(finding)) for finding in findings)
    key = min(longest, max(24, width * 2 // 5))
    table = _columns(key, (None, key, None, None, None))
    table.add_column("WHY", overflow="fold")
    for finding in findings:
        table.add_row(*_cells(finding), escape(_why(finding, 2)))
    return table


def _list(findings: Sequence[Finding], console: Any) -> None:
    """Each key with its numbers on one line, and why under it."""
    rows = [_cells(finding) for finding in findings]
    numbers = [max(len(row[place]) for row in (HEADINGS, *rows)) for place in (2, 3, 4)]
    room = max(12, console.width - len(HEADINGS[0]) - sum(numbers) - 8)
    key = min(room, max(cell_len(words.key_name(finding)) for finding in findings))
    for place, row in enumerate(rows):
        table = _columns(key, (len(HEADINGS[0]), key, *numbers), header=place == 0)
        table.add_row(*row)
        console.print(table)
        console.print(Padding(escape(_why(findings[place], 1)), (0, 0, 0, 12)))


def _columns(key: int, widths: Sequence[int | None] = (None,) * 5, *, header: bool = True) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), show_header=header)
    for heading, width in zip(HEADINGS, widths, strict=True):
        if heading == "KEY":
            table.add_column(heading, overflow="fold", min_width=width, max_width=key)
        else:
            numeric = heading != "PRIORITY"
            table.add_column(heading, justify="right" if numeric else "left", no_wrap=True, min_width=width)
    return table


def _cells(finding: Finding) -> tuple[str, ...]:
    return (
        f"[{STYLE[finding.priority]}]{finding.priority.value.upper()}[/]",
        escape(words.key_name(finding)),
        words.rows_text(finding),
        words.number(finding.distinct),
        words.duplicates_text(finding),
    )


def _why(finding: Finding, most: int) -> str:
    """The first reasons; the second, for LOW, says why it is a key at all."""
    if finding.accepted:
        return f"accepted: {one_line(finding.accepted)}"
    return "; ".join(one_line(reason) for reason in finding.reasons[:most])


def _show_damage(finding: Finding, console: Any) -> None:
    console.print(f"\n[bold]{escape(words.key_name(finding))}[/]")
    for line in words.story(finding):
        console.print(Padding(escape(line), (0, 0, 0, 2)))
    for group in words.of(finding, "groups") or ():
        console.print(Padding(escape(words.group_line(finding, group)), (0, 0, 0, 2)))
        for line in words.row_lines(finding, group):
            text = Text(line, no_wrap=True, overflow="ellipsis")
            console.print(Padding(text, (0, 0, 0, 4)))
    rest = words.groups_left(finding)
    if rest:
        console.print(f"  {rest}")


def _close(audit: Audit, console: Any, *, found: bool) -> None:
    console.print()
    if not found:
        console.print("[green]No unguarded logical key found.[/]")
    _notes("[bold red]INVALID[/]", words.invalid_lines(audit), console)
    _notes("[yellow]accepted[/]", words.acceptance_lines(audit), console)
    _notes("[yellow]unknown[/]", words.unknowns(audit), console)
    console.print(escape(words.summary(audit)))
    left_out = words.left_out(audit)
    if left_out:
        console.print(escape(left_out))
    console.print(f"{audit.statements_run:,} statements run, all in READ ONLY transactions: none wrote.")
    command = words.next_command(audit)
    if command:
        console.print(f"Next: [bold]{escape(command)}[/]", soft_wrap=True)


def _notes(kind: str, lines: Sequence[str], console: Any) -> None:
    """Lines of one kind, the kind before each, and what is wrapped under its text."""
    if not lines:
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=8)
    grid.add_column(overflow="fold")
    for line in lines:
        grid.add_row(kind, escape(line))
    console.print(grid)
