"""`vaccine plan`: the dry run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vaccine.cli.auditing import choosing_options, opened
from vaccine.cli.common import STDIO, out, say, text_width, write_text
from vaccine.errors import UsageError

if TYPE_CHECKING:
    from vaccine.plan.model import Plan
    from vaccine.plan.request import Choices


@click.command("plan")
@click.argument("keys", nargs=-1, metavar="[TABLE.COLUMN]...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Keep the plan for `vaccine revision`; - writes it to stdout.",
)
@click.option("--where", metavar="SQL", help="Which rows are live: the predicate of the index ('' for all rows).")
@click.option(
    "--assign", "assign", multiple=True, metavar="COLUMN=VALUE", help="How a row is retired (sql:now() for SQL)."
)
@click.option("--survivor", multiple=True, metavar="SQL", help="Order of survival, first row stays: 'seen_at DESC'.")
@click.option("--keep", multiple=True, metavar="PK", help="Primary key of a row that survives (values after commas).")
@click.option("--name", metavar="NAME", help="The index's name.")
@click.option(
    "--max-rows",
    type=click.IntRange(min=0),
    help="Rows the upgrade may resolve, whichever they are (default: those there are now, and no others).",
)
@click.option("--gate", type=click.Choice(["auto", "always", "never"]),
              help="The trigger that keeps new duplicates out during the build.  [default: auto]")  # fmt: skip
@click.option("--groups", type=click.IntRange(min=0), default=5, show_default=True, help="Groups to show of each key.")
@click.option("--sql", "statements", is_flag=True, help="Print every statement verbatim, too.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="json prints what -o keeps.")  # fmt: skip
@choosing_options
def command(
    keys: tuple[str, ...], output: Path | None, groups: int, form: str, *, statements: bool, **options: Any
) -> int:
    """Show all that a vaccination would do, and change nothing.

    Without arguments it plans what the audit ranks HIGH. TABLE.COLUMN (SCHEMA.TABLE.COLUMN, more
    columns after commas) plans that key, also where there is no duplicate yet.
    """
    from vaccine.catalog.keyname import parse_key
    from vaccine.plan import file as planfile
    from vaccine.plan.make import make_plan
    from vaccine.report.plan import plan_text

    names = [parse_key(key) for key in keys]
    choices = _choices(options, len(names))
    with opened(options) as (connection, settings):
        plan = make_plan(connection, names, choices, groups_shown=groups, settings=settings)
    to_stdout = form == "json" or output == STDIO
    if not (form == "json" and output is None):
        out(plan_text(plan, text_width(), statements=statements), nl=False, err=to_stdout)
    if to_stdout:
        out(planfile.dump(plan), nl=False)
    if output is not None and output != STDIO:
        write_text(output, planfile.dump(plan), private=True)
        say(f"Wrote {output}.")
    return _say_next(plan, output)


def _choices(options: dict[str, Any], keys: int) -> Choices:
    """What was chosen of the one key.

    Raises:
        UsageError: something was chosen, and no key or several were named.
    """
    from vaccine.plan.request import Choices, parse_assignment

    choices = Choices(
        where=options["where"],
        assign=tuple(parse_assignment(each) for each in options["assign"]) or None,
        survivor=options["survivor"] or None,
        name=options["name"],
        keep=tuple(tuple(each.split(",")) for each in options["keep"]),
        max_rows=options["max_rows"],
        gate=options["gate"],
    )
    if keys != 1 and choices != Choices(gate=choices.gate):
        raise UsageError(
            "--where, --assign, --survivor, --keep, --name and --max-rows are about one key",
            why=f"{keys} keys were named",
            fix="plan that key alone: vaccine plan TABLE.COLUMN --where … -o plan.json; "
            "or say it for each key in a [[lifecycle]] of vaccine.toml",
        )
    return choices


def _say_next(plan: Plan, output: Path | None) -> int:
    blocked = [each for each in plan.vaccinations if each.blocked]
    if blocked:
        say(f"{len(blocked)} of {len(plan.vaccinations)} vaccination(s) blocked; the fixes are above.")
        return 1
    if plan.vaccinations and output is None:
        say("Next: the same command with -o plan.json, then vaccine revision plan.json")
    elif plan.vaccinations:
        say(f"Next: vaccine revision {output}")
    return 0
