"""What the commands share: the options for the database, and output that fits a terminal or a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

URL_HELP = (
    "The database: a libpq or SQLAlchemy URL. Else VACCINE_URL, DATABASE_URL, libpq's PG* variables, "
    "then sqlalchemy.url of alembic.ini."
)


def url_option(function: F) -> F:
    """`--url`: pass it to `vaccine.connect.resolve_url`."""
    return click.option("--url", metavar="URL", help=URL_HELP)(function)


def config_option(function: F) -> F:
    """`-c/--config`: the alembic.ini of the environment to work in."""
    return click.option(
        "-c",
        "--config",
        "alembic_ini",
        type=click.Path(path_type=Path, dir_okay=False),
        help="alembic.ini of the environment to use (default: ./alembic.ini).",
    )(function)


def say(message: str) -> None:
    """One message for the person at the terminal, to stderr; data goes to stdout."""
    click.echo(message, err=True)


def console(width: int | None = None, *, any_width: bool = False) -> Any:
    """A rich console on stdout: colour on a terminal only; 160 columns where there is no terminal.

    `any_width`: without a terminal too, COLUMNS sets the width, where it is set.
    """
    from rich.console import Console

    chosen = any_width and os.environ.get("COLUMNS", "").isdigit()
    if width is None and not sys.stdout.isatty() and not chosen:
        width = 160
    return Console(width=width, highlight=False, soft_wrap=False)
