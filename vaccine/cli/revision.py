"""`vaccine revision`: an approved plan becomes Alembic revisions."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import click

from vaccine.cli.common import config_option, out, read_plan, say, url_option


@click.command("revision")
@click.argument("plan_file", metavar="PLAN.JSON", type=click.Path(path_type=Path))
@config_option
@click.option("--head", metavar="REVISION", help="The head to build on, where the environment has several.")
@click.option(
    "--version-path",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for the files, where the environment has several.",
)
@url_option
def command(
    plan_file: Path, alembic_ini: Path | None, head: str | None, version_path: Path | None, url: str | None
) -> int:
    """Turn an approved plan (- is stdin) into Alembic revisions, one for each vaccination.

    Refuses when the database is no longer as the plan saw it. Writes files only, their paths to stdout; the
    commands that run and undo these revisions, and no others, to stderr. A vaccination that is blocked gets no
    revision: the others do, and the status is 1.
    """
    from vaccine.connect import read_only, resolve_url
    from vaccine.operations.dry import alembic_command, undo_target
    from vaccine.plan.fingerprint import blocked_words, refuse_drift
    from vaccine.revision.destination import Destination
    from vaccine.revision.write import write_revisions

    plan = read_plan(plan_file)
    ini = alembic_ini or Path("alembic.ini")
    if not plan.vaccinations:
        say("The plan is empty: there is nothing to write.")
        return 0
    with read_only(resolve_url(url, ini)) as connection:
        refuse_drift(connection, plan)
    written = write_revisions(replace(plan, vaccinations=plan.open), Destination(ini, head, version_path))
    for each in written:
        out(str(each.path))
    alembic = alembic_command(ini)
    up, down = shlex.quote(written[-1].revision), undo_target(written[0].revision, written[0].down_revision)
    say(
        f"Wrote {len(written)} revision(s) for plan {plan.id}.\n"
        f"Next: read {'it' if len(written) == 1 else 'them'}, then run: {alembic} upgrade {up}\n"
        f"Undo: {alembic} downgrade {down}"
    )
    blocked = [each for each in plan.vaccinations if each.blocked]
    for one in blocked:
        say(f"Blocked, no revision was written: {blocked_words(one)}")
        for hazard in one.blocked:
            say(f"  fix: {hazard.fix}")
    return 1 if blocked else 0
