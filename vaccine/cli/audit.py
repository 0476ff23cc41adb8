"""`vaccine audit`."""

from __future__ import annotations

from typing import Any

import click

from vaccine.cli.auditing import audit_options, run
from vaccine.cli.common import console, out

FORMATS = ("table", "json", "markdown", "html", "sarif")
FAIL_ON = ("high", "medium", "decide", "low")


@click.command("audit")
@audit_options
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--all", "everything", is_flag=True, help="List guarded, intentional and log keys too.")
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="Exit with 1 when there is a finding at or above this.")
def command(form: str, everything: bool, fail_on: str | None, **options: Any) -> int:  # noqa: FBT001
    """Find the logical keys that no unique index guards. Read-only.

    Each table is read in a short READ ONLY transaction with timeouts; a standby and a role that
    may only SELECT will do. Exit status: 0; with --fail-on 1 when something is found; 2 usage; 3 database.
    """
    audit = run(options)
    if form == "table":
        from vaccine.report import table

        table.show(audit, console(any_width=True), everything=everything)
    else:
        from importlib import import_module

        out(import_module(f"vaccine.report.{form}").render(audit))
    failing = FAIL_ON[: FAIL_ON.index(fail_on) + 1] if fail_on else ()
    return int(any(finding.priority.value in failing and not finding.accepted for finding in audit.findings))
