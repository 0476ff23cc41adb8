"""`vaccine check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vaccine.cli.auditing import audit_options, run
from vaccine.cli.common import say


@click.command("check")
@audit_options
@click.option(
    "--baseline", type=click.Path(path_type=Path, dir_okay=False), help="Keys that are known to be unguarded."
)
@click.option("--write-baseline", is_flag=True, help="Write the baseline (default: vaccine-baseline.json) and exit.")
@click.option(
    "--fail-on",
    type=click.Choice(("high", "medium", "low")),
    default="low",
    show_default=True,
    help="The lowest priority of an unguarded key that fails.",
)
def command(baseline: Path | None, write_baseline: bool, fail_on: str, **options: Any) -> int:  # noqa: FBT001
    """Fail on unguarded keys that the baseline does not know, INVALID indexes and live duplicates. Read-only.

    Exit status: 0 nothing; 1 something, listed on stdout; 2 usage or configuration; 3 database.
    """
    from vaccine.check import baseline_text, problems, read_baseline
    from vaccine.config import load
    from vaccine.finding import Priority

    path = baseline or load(options["settings"]).baseline
    known = read_baseline(path) if path and not write_baseline else ()
    audit = run(options)
    if write_baseline:
        target = path or Path("vaccine-baseline.json")
        target.write_text(baseline_text(audit), encoding="utf-8")
        say(f"wrote {target}: commit it, and give it with --baseline")
        return 0
    found = problems(audit, known, Priority(fail_on))
    for problem in found:
        click.echo(f"{problem.kind:<10}  {problem.name}  {problem.why}\n            fix: {problem.fix}")
    say(f"{audit.tables_audited:,} tables checked, {len(found)} problem{'' if len(found) == 1 else 's'}")
    return int(bool(found))
