"""The audit as Markdown: for a ticket or a pull request."""

from __future__ import annotations

import re

from vaccine import __version__
from vaccine.audit.finding import DEFECTS, Finding, Priority
from vaccine.audit.run import Audit
from vaccine.report import words
from vaccine.text import one_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def render(audit: Audit) -> str:
    """The whole audit; what a catalog holds is escaped."""
    catalog = audit.catalog
    lines = [
        f"# Schema audit of {_text(catalog.database)}",
        "",
        f"PostgreSQL {catalog.server_version}, Vaccine {__version__}. {_text(words.summary(audit))}",
        f"{audit.statements_run:,} statements run, all in READ ONLY transactions: none wrote.",
        "",
    ]
    shown = [finding for finding in audit.findings if finding.priority in DEFECTS]
    if shown:
        lines += [
            "| Priority | Key | Rows | Distinct | Live duplicate groups | Rows too many | Why |",
            "|---|---|--:|--:|--:|--:|---|",
        ]
        lines += [_row(finding) for finding in shown]
    else:
        lines.append("No unguarded logical key found.")
    for finding in shown:
        if finding.priority is Priority.HIGH:
            lines += _damage(finding)
    for title, texts in words.sections(audit):
        if texts:
            lines += ["", f"## {title}", "", *(f"- {_text(text)}" for text in texts)]
    command = words.next_command(audit)
    if command:
        lines += ["", f"Next: `{command}`"]
    return "\n".join(lines)


def _row(finding: Finding) -> str:
    cells = [
        finding.priority.value.upper(),
        _text(words.key_name(finding)),
        words.rows_text(finding),
        words.number(finding.distinct),
        words.number(finding.live_duplicate_groups),
        words.number(finding.live_excess_rows),
        _text("; ".join(finding.reasons[:2])) + (f" (accepted: {_text(finding.accepted)})" if finding.accepted else ""),
    ]
    return "| " + " | ".join(cells) + " |"


def _damage(finding: Finding) -> list[str]:
    lines = ["", f"## {_text(words.key_name(finding))}", "", *(f"- {_text(line)}" for line in words.story(finding))]
    groups = words.of(finding, "groups") or ()
    if groups:
        lines += ["", "| Key | Rows | Ids |", "|---|--:|---|"]
    for group in groups:
        lines.append(f"| {_text(words.group_key(group))} | {group['rows']:,} | {_text(' '.join(group['ids']))} |")
    rest = words.groups_left(finding)
    return [*lines, "", rest] if rest else lines


def _text(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", one_line(text))
