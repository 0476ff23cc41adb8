"""`vaccine writers`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vaccine.cli.common import console, out, read_plan, say
from vaccine.text import printable

if TYPE_CHECKING:
    from vaccine.writers.model import KeySpec, SourceWriters


@click.command("writers")
@click.argument("folders", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Judge by a plan.json's keys (- is stdin).",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="[SCHEMA.]TABLE.COLUMN[,COLUMN]",
    help="Judge the writers of this key; may be given again.",
)
@click.option("--where", metavar="PREDICATE", help="The predicate of the keys' planned indexes, in SQL.")
@click.option("--index", metavar="NAME", help="The planned index's name, for one --key.")
@click.option("--all", "everything", is_flag=True, help="Read tests, migrations and seeds too.")
@click.option("--fixes/--no-fixes", default=False, help="Print the code to paste for each writer that fails.")
@click.option("--patch", is_flag=True, help="Write a unified diff of the safe fixes to stdout (git apply takes it).")
@click.option("--format", "form", type=click.Choice(("table", "json", "sarif")), default="table", show_default=True)
def command(
    folders: tuple[Path, ...],
    plan_file: Path | None,
    keys: tuple[str, ...],
    where: str | None,
    index: str | None,
    everything: bool,  # noqa: FBT001
    fixes: bool,  # noqa: FBT001
    patch: bool,  # noqa: FBT001
    form: str,
) -> int:
    """Find who writes each key in source code, which of them meet a conflict, and the fix. No database is asked.

    Without --key or --plan: all writers. Exit status: 0 none fails; 1 a writer fails or races; 2 usage.
    """
    from vaccine.plan.key_specs import key_specs, plan_specs
    from vaccine.writers.scanner import scan

    specs = [*key_specs(keys, where, index), *(plan_specs(read_plan(plan_file)) if plan_file else ())]
    found = scan(folders, keys=specs or None, everything=everything)
    if patch:
        _patch(found, specs)
    else:
        _show(found, form, fixes=fixes)
    return int(bool(found.failing))


def _show(found: SourceWriters, form: str, *, fixes: bool) -> None:
    from vaccine.report import writers as report

    if form == "table":
        console().print(report.table(found))
        if fixes:
            out(report.fixes(found))
        say(report.summary(found))
    else:
        out(report.as_json(found) if form == "json" else report.as_sarif(found))


def _patch(found: SourceWriters, specs: list[KeySpec]) -> None:
    from vaccine.errors import UsageError
    from vaccine.writers.fix.patch import patch

    if not specs:
        raise UsageError(
            "--patch needs to know the key and its index",
            why="neither --key nor --plan was given",
            fix="vaccine writers DIR --plan plan.json --patch > writers.patch",
        )
    diff = patch(found)
    # A patch is bytes for a program; a terminal obeys nothing of it.
    click.echo(printable(diff.text) if sys.stdout.isatty() else diff.text, nl=False)
    for line in diff.left_out:
        say(line)
    say(f"{diff.patched} writers patched, {len(diff.left_out)} left to the hand (--fixes prints the code)")
