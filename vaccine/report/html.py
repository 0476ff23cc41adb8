"""The audit as one HTML page without scripts or outside parts."""

from __future__ import annotations

from html import escape

from vaccine import __version__
from vaccine.audit.finding import DEFECTS, Finding, Priority
from vaccine.audit.run import Audit
from vaccine.report import words
from vaccine.text import one_line

# Should anything of a catalog ever stand there unescaped, it loads and runs nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1b1b1b; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
code { background: #f3f3f3; padding: .1rem .3rem; }
.high { color: #b00020; font-weight: 600; } .medium { color: #8a5a00; font-weight: 600; } .low { color: #00576b; }
"""


def render(audit: Audit) -> str:
    """The whole audit as a page; what a catalog holds is escaped."""
    catalog = audit.catalog
    shown = [finding for finding in audit.findings if finding.priority in DEFECTS]
    title = escape(f"Schema audit of {one_line(catalog.database)}")
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<style>{STYLE}</style></head>",
        f"<body><h1>{title}</h1>",
        f"<p>PostgreSQL {escape(catalog.server_version)}, Vaccine {__version__}. {escape(words.summary(audit))}<br>",
        f"{audit.statements_run:,} statements run, all in READ ONLY transactions: none wrote.</p>",
        _table(shown) if shown else "<p>No unguarded logical key found.</p>",
        *(_damage(finding) for finding in shown if finding.priority is Priority.HIGH),
        *(_list(title, texts) for title, texts in words.sections(audit)),
    ]
    command = words.next_command(audit)
    if command:
        parts.append(f"<p>Next: <code>{escape(command)}</code></p>")
    return "\n".join([*(part for part in parts if part), "</body></html>"])


def _table(findings: list[Finding]) -> str:
    head = "<tr><th>Priority</th><th>Key</th><th class=n>Rows</th><th class=n>Distinct</th>"
    head += "<th class=n>Live duplicate groups</th><th class=n>Rows too many</th><th>Why</th></tr>"
    return f"<table>{head}\n" + "\n".join(map(_row, findings)) + "</table>"


def _row(finding: Finding) -> str:
    why = "; ".join(finding.reasons[:2]) + (f" (accepted: {finding.accepted})" if finding.accepted else "")
    counts = (
        words.rows_text(finding),
        words.number(finding.distinct),
        words.number(finding.live_duplicate_groups),
        words.number(finding.live_excess_rows),
    )
    priority = finding.priority.value
    return (
        f"<tr><td class={priority}>{priority.upper()}</td><td>{escape(words.key_name(finding))}</td>"
        + "".join(f"<td class=n>{count}</td>" for count in counts)
        + f"<td>{escape(one_line(why))}</td></tr>"
    )


def _damage(finding: Finding) -> str:
    rows = [
        f"<tr><td>{escape(one_line(words.group_key(group)))}</td>"
        f"<td class=n>{group['rows']:,}</td><td>{escape(one_line(' '.join(group['ids'])))}</td></tr>"
        for group in words.of(finding, "groups") or ()
    ]
    table = f"<table><tr><th>Key</th><th class=n>Rows</th><th>Ids</th></tr>{''.join(rows)}</table>" if rows else ""
    rest = words.groups_left(finding)
    return _list(words.key_name(finding), words.story(finding)) + table + (f"<p>{escape(rest)}</p>" if rest else "")


def _list(title: str, texts: list[str]) -> str:
    if not texts:
        return ""
    return f"<h2>{escape(title)}</h2><ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"
