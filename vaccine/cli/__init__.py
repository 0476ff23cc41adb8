"""The command line: the only place that prints or exits. Commands are imported when they are asked for."""

from __future__ import annotations

import importlib
import io
import sys

import click

from vaccine import __version__
from vaccine.errors import VaccineError
from vaccine.text import shown

FIXES = {
    "42501": "run as the owner, or GRANT what this role lacks; to read the journal: "
    "GRANT USAGE ON SCHEMA vaccine TO …; GRANT SELECT ON ALL TABLES IN SCHEMA vaccine TO …",
    "55P03": "another session holds a lock on the table; run again when it is done",
    "57014": "the statement took longer than its budget; run again when the server is quieter, or raise --table-budget",
}
# name: (module, one line for --help); kept here so that --help imports nothing else
COMMANDS = {
    "audit": ("vaccine.cli.audit", "Find the logical keys that no unique index guards (read-only)."),
    "plan": ("vaccine.cli.plan", "Show all that a vaccination would do; change nothing."),
    "revision": ("vaccine.cli.revision", "Turn an approved plan into Alembic revisions."),
    "check": ("vaccine.cli.check", "For CI: fail on new unguarded keys, INVALID indexes, live duplicates."),
    "writers": ("vaccine.cli.writers", "Find who writes each key in source code, and the fix for each."),
    "journal": ("vaccine.cli.journal", "Show what was changed, restored or left alone; prune."),
    "undo": ("vaccine.cli.undo", "Ask what a downgrade would restore, and what not (read-only)."),
    "init": ("vaccine.cli.init", "Make an Alembic environment with all set."),
    "demo": ("vaccine.cli.demo", "The whole story on an embedded PostgreSQL."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported one at a time, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vaccine")
def cli() -> None:
    """Rows that should be one row: find them, resolve them, guard the key, undo it exactly.

    Order of use: audit, plan -o plan.json, revision plan.json, then `alembic upgrade head`.
    Exit status: 0 fine; 1 the answer is no; 2 usage or configuration; 3 the database.
    """


def main() -> None:
    """Run the command line and turn every known error into one message and an exit status."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _leave("interrupted; nothing more was done", 130)
    except click.ClickException as error:
        usage = io.StringIO()  # it may quote an argument, and that be a URL
        error.show(usage)
        click.echo(shown(usage.getvalue()), err=True, nl=False)
        sys.exit(2)
    except VaccineError as error:
        _leave(str(error), error.exit_status)
    except UnicodeEncodeError:
        _leave("a word of the command line, or what was read, is no text in UTF-8 [usage]", 2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:  # noqa: BLE001  a driver's error becomes a message; anything else is a bug
        _leave(_driver_message(error), 3)
    sys.exit(status if isinstance(status, int) else 0)


def _driver_message(error: Exception) -> str:
    """One message for an error of psycopg or SQLAlchemy; any other exception is raised again."""
    module = type(error).__module__.partition(".")[0]
    original = getattr(error, "orig", None) or error
    if module not in {"psycopg", "sqlalchemy"}:
        raise error
    state = getattr(original, "sqlstate", None) or "no SQLSTATE"
    lines = str(original).strip().splitlines() or [type(error).__name__]
    detail = "\n  ".join(lines)
    fix = FIXES.get(state, "see the server's log for that statement")
    return f"the database refused [database]\n  why: {detail} ({state})\n  fix: {fix}"


def _leave(message: str, status: int) -> None:
    click.echo(click.style("error: ", fg="red", bold=True) + shown(message), err=True)
    sys.exit(status)
