"""`vaccine journal`: what was changed, restored, left alone; and the removal of old images."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from vaccine.cli.common import cell, console, out, say, url_option
from vaccine.connect import connect, read_only, resolve_url
from vaccine.journal import Change, JournalledBatch, RecordedUpgrade, batches, changes, prunable, prune, upgrades
from vaccine.text import json_text


def format_option(function: Any) -> Any:
    """`--format`: a table for people, or JSON."""
    choice = click.Choice(["table", "json"])
    return click.option("--format", "form", type=choice, default="table", show_default=True)(function)


@click.group(invoke_without_command=True)
@url_option
@format_option
@click.pass_context
def command(context: click.Context, url: str | None, form: str) -> None:
    """List what Vaccine changed: one line for each upgrade, then one for each batch.

    `upgrades`, `show` and `prune` do more.
    """
    context.obj = {"url": url, "form": form}
    if context.invoked_subcommand is not None:
        return
    with read_only(resolve_url(url)) as connection:
        found, recorded = list(batches(connection)), upgrades(connection)
    if form == "json":
        out(json_text([_as_json(batch) for batch in found], default=str))
    elif not found and not recorded:
        say("the journal is empty: no row of this database was changed by Vaccine")
    else:
        _print_upgrades(recorded)
        if found:
            _print_batches(found)


@command.command("upgrades")
@url_option
@format_option
@click.pass_context
def upgrades_command(context: click.Context, url: str | None, form: str) -> None:
    """List the upgrades: which revision, under which version table, how many rows; also where none was resolved."""
    form = context.obj["form"] if form == "table" else form
    with read_only(resolve_url(url or context.obj["url"])) as connection:
        found = upgrades(connection)
    if form == "json":
        out(json_text([_as_json(each) for each in found], default=str))
    elif found:
        _print_upgrades(found)
    else:
        say("no upgrade of Vaccine's is recorded in this database")


@command.command()
@click.argument("batch", type=int)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Rows to show at most.")
@url_option
@format_option
@click.pass_context
def show(context: click.Context, batch: int, limit: int, url: str | None, form: str) -> None:
    """Show what changed in the rows of one BATCH, column by column."""
    form = context.obj["form"] if form == "table" else form
    with read_only(resolve_url(url or context.obj["url"])) as connection:
        found = list(changes(connection, batch, limit))
    if form == "json":
        out(json_text([asdict(change) for change in found]))
    else:
        _print_changes(found)


@command.command("prune")
@click.option(
    "--plan", help="Remove the images of this plan, even if that ends its undo. Default: only what is restored."
)
@click.option("--older-than-days", "days", type=click.IntRange(0), default=0, help="Only batches older than this.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@url_option
@click.pass_context
def prune_command(context: click.Context, plan: str | None, days: int, url: str | None, *, yes: bool) -> None:
    """Remove old images of rows. The journal keeps its counts and primary keys."""
    dsn = resolve_url(url or context.obj["url"])
    with read_only(dsn) as connection:
        chosen = prunable(connection, plan, days)
    if not chosen.batches:
        of_plan = f"nothing to prune of plan {plan}: it has no batch with images; `vaccine journal` lists the plans"
        say("nothing to prune: no batch is restored in full" if plan is None else of_plan)
        return
    warning = f"; {chosen.losing_undo} of them can NOT be restored afterwards" if chosen.losing_undo else ""
    if not yes:
        click.confirm(f"remove the images of {len(chosen.batches)} batches{warning}?", abort=True, err=True)
    with connect(dsn) as connection:
        prune(connection, chosen)
    say(f"removed the images of {len(chosen.batches)} batches{warning}")


def _as_json(of: JournalledBatch | RecordedUpgrade) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(of).items()}


def _print_upgrades(found: list[RecordedUpgrade]) -> None:
    from rich.table import Table

    table = Table("upgrade", "plan", "key", "index", "rows", "state", "version table", "when", box=None)
    for each in found:
        key = f"{each.schema}.{each.table} ({', '.join(each.columns)})"
        when = (each.undone_at or each.ended_at or each.started_at).strftime("%Y-%m-%d %H:%M:%S %Z")
        names = map(cell, (each.revision, each.plan, key, each.index or "-"))
        table.add_row(*names, str(each.resolved_rows), each.state, cell(each.version_table), when)
    console().print(table)


def _print_batches(found: list[JournalledBatch]) -> None:
    from rich.table import Table

    table = Table("batch", "plan", "revision", "key", "rows", "restored", "kept", "outcome", "when", box=None)
    for each in found:
        key = f"{each.schema}.{each.table} ({', '.join(each.columns)})"
        when = (each.restored_at or each.resolved_at).strftime("%Y-%m-%d %H:%M:%S %Z")
        counts = (str(each.rows), str(each.restored_rows), str(each.kept_rows))
        table.add_row(str(each.batch), cell(each.plan), cell(each.revision), cell(key), *counts, each.outcome, when)
    console().print(table)


def _print_changes(found: list[Change]) -> None:
    from rich.table import Table

    table = Table("row", "survivor", "column", "before", "after", "outcome", box=None)
    for each in found:
        keys = ("/".join(each.primary_key), "/".join(each.survivor), each.column)
        images = ("NULL" if text is None else text for text in (each.before, each.after))
        table.add_row(*map(cell, keys), *map(cell, images), each.outcome)
    console().print(table)
