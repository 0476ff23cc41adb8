"""`vaccine demo`: the whole story on an embedded PostgreSQL."""

from __future__ import annotations

import signal
import sys

import click


@click.command("demo")
def command() -> None:
    """Tell the whole story on an embedded PostgreSQL, in under a minute.

    Audit, plan, revision, upgrade, a refused duplicate, audit again, downgrade, and the proof that the
    database has its first state again. Uses a temporary folder and leaves nothing behind; needs the
    extra vaccine[demo]. Exit status: 0; 1 when a command of the story fails; 2 without the extra.
    """
    from vaccine.demo.story import tell

    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C does: the server and the folders go first
        signal.signal(number, _leave)
    tell(lambda text: click.echo(text, nl=False))


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)
