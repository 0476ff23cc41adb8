"""`vaccine check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vaccine.cli.auditing import audit_options, run
from vaccine.cli.common import out, say, write_text

if TYPE_CHECKING:
    from vaccine.writers.model import SourceWriter


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
    """Fail on new unguarded keys, INVALID indexes, live duplicates and racing writers. Read-only.

    New is what the baseline does not know.

    Exit status: 0 nothing; 1 something, listed on stdout; 2 usage or configuration; 3 database.
    """
    from vaccine.audit.check import Baseline, baseline_text, problems, read_baseline, writer_problems
    from vaccine.audit.config import load
    from vaccine.audit.finding import Priority
    from vaccine.report.words import acceptance_lines

    path = baseline or load(options["settings"]).baseline
    known = read_baseline(path) if path and not write_baseline else Baseline()
    audit = run(options)
    racing = _racing(options["source"])
    if write_baseline:
        target = path or Path("vaccine-baseline.json")
        write_text(target, baseline_text(audit, racing))
        say(f"wrote {target}: commit it, and give it with --baseline")
        return 0
    found = (*problems(audit, known.keys, Priority(fail_on)), *writer_problems(racing, known.writers))
    for problem in found:
        out(f"{problem.kind:<10}  {problem.name}  {problem.why}\n            fix: {problem.fix}")
    for line in acceptance_lines(audit):
        say(f"accepted: {line}")
    say(f"{audit.tables_audited:,} tables checked, {len(found)} problem{'' if len(found) == 1 else 's'}")
    return int(bool(found))


def _racing(folders: tuple[Path, ...]) -> tuple[SourceWriter, ...]:
    """The writers in source code that look first and insert then."""
    if not folders:
        return ()
    from vaccine.writers.check import racing
    from vaccine.writers.scanner import scan

    return racing(scan(folders))
