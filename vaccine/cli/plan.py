"""`vaccine plan`: the dry run."""

from __future__ import annotations

from pathlib import Path

import click

from vaccine.cli.common import config_option, say, url_option
from vaccine.errors import ConfigurationError, UsageError


@click.command("plan")
@click.argument("keys", nargs=-1, metavar="[TABLE.COLUMN]...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Keep the plan for `vaccine revision`."
)
@click.option("--where", metavar="SQL", help="Which rows are live: the predicate of the index ('' for all rows).")
@click.option(
    "--assign", "assign", multiple=True, metavar="COLUMN=VALUE", help="How a row is retired (sql:now() for SQL)."
)
@click.option("--survivor", multiple=True, metavar="SQL", help="Order of survival, first row stays: 'seen_at DESC'.")
@click.option("--keep", multiple=True, metavar="PK", help="Primary key of a row that survives (values after commas).")
@click.option("--name", metavar="NAME", help="The index's name.")
@click.option(
    "--max-rows", type=click.IntRange(min=0), help="Rows the upgrade may resolve (default: those there are now)."
)
@click.option("--gate", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
              help="The trigger that keeps new duplicates out during the build.")  # fmt: skip
@click.option("--groups", type=click.IntRange(min=0), default=20, show_default=True, help="Groups to show of each key.")
@click.option("--source", multiple=True, type=click.Path(path_type=Path, exists=True), help="Source code with writers.")
@url_option
@config_option
def command(
    keys: tuple[str, ...],
    output: Path | None,
    where: str | None,
    assign: tuple[str, ...],
    survivor: tuple[str, ...],
    keep: tuple[str, ...],
    name: str | None,
    max_rows: int | None,
    gate: str,
    groups: int,
    source: tuple[Path, ...],
    url: str | None,
    alembic_ini: Path | None,
) -> int:
    """Show all that a vaccination would do, and change nothing.

    Without arguments it plans what the audit ranks HIGH. TABLE.COLUMN (SCHEMA.TABLE.COLUMN, more
    columns after commas) plans that key, also where there is no duplicate yet.
    """
    from vaccine.catalog.keyname import parse_key
    from vaccine.connect import read_only, resolve_url
    from vaccine.plan import file as planfile
    from vaccine.plan.make import make_plan
    from vaccine.plan.request import Choices, parse_assignment
    from vaccine.report.plan import plan_text

    names = [parse_key(key) for key in keys]
    choices = Choices(
        where=where,
        assign=tuple(parse_assignment(each) for each in assign) or None,
        survivor=survivor or None,
        name=name,
        keep=tuple(tuple(each.split(",")) for each in keep),
        max_rows=max_rows,
        gate=gate,
    )
    if len(names) != 1 and choices != Choices(gate=gate):
        raise UsageError(
            "--where, --assign, --survivor, --keep, --name and --max-rows are about one key",
            why=f"{len(names)} keys were named",
            fix="plan that key alone: vaccine plan TABLE.COLUMN --where … -o plan.json",
        )
    with read_only(resolve_url(url, alembic_ini)) as connection:
        plan = make_plan(connection, names, choices, groups_shown=groups, source=source)
    click.echo(plan_text(plan), nl=False)
    blocked = [each for each in plan.vaccinations if each.blocked]
    if output is not None:
        _write(output, planfile.dump(plan))
        say(f"Wrote {output}.")
    if blocked:
        say(f"{len(blocked)} of {len(plan.vaccinations)} vaccination(s) blocked; the fixes are above.")
        return 1
    if plan.vaccinations:
        target = output or Path("plan.json")
        say(
            f"Next: vaccine revision {target}"
            if output
            else f"Next: vaccine plan … -o {target}, then vaccine revision {target}"
        )
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {path}", why=error.strerror or str(error), fix="give another file with -o"
        ) from None
