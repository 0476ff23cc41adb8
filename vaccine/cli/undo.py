"""`vaccine undo`: the dry run of a downgrade."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from vaccine.cli.common import out, say, url_option
from vaccine.cli.journal import format_option
from vaccine.connect import read_only, resolve_url
from vaccine.errors import UsageError
from vaccine.text import json_text

if TYPE_CHECKING:
    from vaccine.operations.dry import UndoReport, Unrestorable


@click.command("undo")
@click.argument("revision", required=False)
@click.option("--check", is_flag=True, help="Say what would come back, what not and why. Nothing else is done here.")
@url_option
@format_option
def command(revision: str | None, url: str | None, form: str, *, check: bool) -> int:
    """Ask what the downgrade of REVISION would restore; without one, of all that are upgraded. Read-only.

    Exit status: 0 every row would come back; 1 some would not, or there is no record; 2 usage; 3 database.
    """
    from vaccine.operations.dry import undo_reports

    if not check:
        raise UsageError(
            "vaccine undo only asks: give --check",
            why="what undoes is Alembic",
            fix=f"alembic downgrade {revision or 'REVISION'}@… undoes; `vaccine revision` prints the whole command",
        )
    with read_only(resolve_url(url)) as connection:
        found = undo_reports(connection, revision)
    if form == "json":
        out(json_text([asdict(each) | {"fine": each.fine} for each in found]))
    else:
        for each in found:
            _print(each)
    if not found:
        of = f"revision {revision}" if revision else "any revision"
        say(f"there is no record of an upgrade of {of} in this database that is not undone: nothing would be restored")
    return int(not found and revision is not None) or int(not all(each.fine for each in found))


def _print(of: UndoReport) -> None:
    key = f"{of.schema}.{of.table} ({', '.join(of.columns)})"
    out(f"{of.revision}: {key}, index {of.index or 'none'}, stamped in {of.version_table or 'no table'}")
    out(f"  {of.back} of {of.resolved} rows would come back")
    for some in filter(None, (of.kept, *of.refused, *of.lost)):
        out(f"  {_row_line(some)}")
    for line in of.blocked:
        out(f"  refused: {line}")
    for line in of.notes:
        out(f"  note: {line}")


def _row_line(some: Unrestorable) -> str:
    more = ", …" if some.rows > len(some.keys) else ""
    keys = f" ({', '.join(some.keys)}{more})" if some.keys else ""
    return f"{some.rows} row{'' if some.rows == 1 else 's'} would not{keys}: {some.why}"
