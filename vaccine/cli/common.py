"""What the commands share: the options for the database, and output that fits a terminal or a pipe."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import stat
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from vaccine.errors import ConfigurationError
from vaccine.text import cut, one_line, printable, shown

if TYPE_CHECKING:
    from vaccine.plan.model import Plan

F = TypeVar("F", bound=Callable[..., Any])
CELL = 300  # characters; `--format json` has all

URL_HELP = (
    "The database: a libpq or SQLAlchemy URL. Else VACCINE_URL, DATABASE_URL, libpq's PG* variables, "
    "then sqlalchemy.url of alembic.ini."
)


STDIO = Path("-")  # as the name of a file: stdin or stdout


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
        callback=_alembic_ini,
        help="alembic.ini of the environment to use (default: ./alembic.ini).",
    )(function)


def _alembic_ini(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """The file that was named, once it is seen to be one of Alembic's.

    Raises:
        ConfigurationError: there is no such file, or it is another kind of file.
    """
    if path is None:
        return None
    if not path.is_file():
        raise ConfigurationError(
            f"there is no file {path}",
            why="-c names the alembic.ini of an environment",
            fix="name an existing one, make one with vaccine init, or leave -c out",
        )
    if not _is_of_alembic(path):
        other = f"; if it is a vaccine.toml, give it with --settings {path}" if path.suffix == ".toml" else ""
        raise ConfigurationError(
            f"{path} is no alembic.ini",
            why="it has no section [alembic], nor [tool.alembic] if it is a pyproject.toml",
            fix=f"name the alembic.ini of the environment with -c{other}",
        )
    return path


def _is_of_alembic(path: Path) -> bool:
    """Whether the file has a section of Alembic's."""
    try:
        if path.suffix == ".toml":
            return "alembic" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(path, encoding="utf-8")
    except (OSError, configparser.Error, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    return any(name == "alembic" or parser.has_option(name, "script_location") for name in parser.sections())


def say(message: str) -> None:
    """One message for the person at the terminal, to stderr; data goes to stdout."""
    click.echo(shown(message), err=True)


def out(text: str, *, nl: bool = True, err: bool = False) -> None:
    """Data for a person or a pipe, to stdout; what a terminal would obey is escaped."""
    click.echo(printable(text), nl=nl, err=err)


def cell(text: str) -> str:
    """A name or a value for a cell of a table of rich's: on one line, no longer than a screen takes."""
    from rich.markup import escape

    return escape(cut(one_line(text), CELL))


def console(width: int | None = None, *, any_width: bool = False) -> Any:
    """A rich console on stdout: colour on a terminal only; 160 columns where there is no terminal.

    `any_width`: without a terminal too, COLUMNS sets the width, where it is set.
    """
    from rich.console import Console

    chosen = any_width and os.environ.get("COLUMNS", "").isdigit()
    if width is None and not sys.stdout.isatty() and not chosen:
        width = 160
    out: Any = sys.stdout if sys.stdout.isatty() else _Unpadded(sys.stdout)
    return Console(file=out, width=width, highlight=False, soft_wrap=False)


class _Unpadded:
    """A stream that writes no blanks at line ends: a table pads its last column."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(re.sub(r" +(?=\n)", "", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


def read_plan(path: Path) -> Plan:
    """The plan in a file, or on stdin where the name is `-`.

    Raises:
        PlanFileError: it is no plan, or was edited.
    """
    from vaccine.plan.file import load

    if path == STDIO:
        return load(Path("stdin"), sys.stdin.read())
    return load(path)


def text_width() -> int:
    """Columns for prose: the terminal's, at most 120; without one COLUMNS, else 100."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return min(shutil.get_terminal_size().columns, 120)
    return 100


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Write a file that an option named; a `private` one holds values of rows, and only its owner may read it.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o666), "wb") as file:
            if private and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                os.fchmod(file.fileno(), 0o600)
            file.write(text.encode())
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {path}", why=error.strerror or str(error), fix="name another file"
        ) from None
