"""What `vaccine audit`, `check` and `plan` share: the options that choose what to read, and the run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vaccine.cli.common import config_option, say, url_option

if TYPE_CHECKING:
    import psycopg

    from vaccine.audit.run import Audit
    from vaccine.audit.settings import AuditSettings
    from vaccine.audit.workers import AuditProgress

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(path_type=Path, exists=True, file_okay=True)
CHOOSING = (
    url_option,
    config_option,
    click.option(
        "--settings",
        type=click.Path(path_type=Path, dir_okay=False),
        help="vaccine.toml to use (default: ./vaccine.toml, then [tool.vaccine] of ./pyproject.toml).",
    ),
    click.option("--schema", "schemas", multiple=True, metavar="NAME", help="Only this schema; may be given again."),
    click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Leave out schema.table or schema.table.column; * and ? fit any text.",
    ),
    click.option("--source", multiple=True, type=FOLDER, metavar="DIR", help="Source code whose writers count."),
    click.option("--budget", "budget_s", type=click.FloatRange(0), help="Seconds for reading rows, in all."),
    click.option(
        "--table-budget",
        "table_s",
        type=click.FloatRange(0.001),
        default=60.0,
        show_default=True,
        help="Seconds that one statement may take.",
    ),
    click.option("--jobs", type=click.IntRange(1, 64), help="Tables to read at once, a connection each.  [default: 1]"),
    click.option("--min-score", type=click.FloatRange(0, 1), help="Show weaker or only stronger candidates."),
    click.option("--with-frameworks", is_flag=True, help="Look at the tables of frameworks and extensions too."),
)
OPTIONS = (
    *CHOOSING[:6],
    click.option(
        "--where",
        "wheres",
        multiple=True,
        nargs=2,
        metavar="KEY PREDICATE",
        help="Which rows of [SCHEMA.]TABLE.COLUMN are live, such as: tasks.code \"status = 'open'\"",
    ),
    click.option("--structure-only", is_flag=True, help="Read no rows: judge by names, types, keys and indexes."),
    *CHOOSING[6:],
)


def audit_options(function: F) -> F:
    """All options of an audit; pass them on to `run`."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def choosing_options(function: F) -> F:
    """The options of an audit that choose what to look at; pass them on to `opened`."""
    for option in reversed(CHOOSING):
        function = option(function)
    return function


def run(options: dict[str, Any]) -> Audit:
    """Audit the database that the options name."""
    from vaccine.audit.run import run_audit

    with opened(options) as (connection, settings):
        return run_audit(connection, settings)


SUPERUSER = (
    "warning: this role is a superuser, and this needs SELECT alone: `vaccine init --role-sql` prints a role for it"
)


@contextmanager
def opened(options: dict[str, Any]) -> Iterator[tuple[psycopg.Connection, AuditSettings]]:
    """A read-only connection to the database that the options name, and what to look at, vaccine.toml included."""
    from vaccine.audit.config import DEFAULT_SCHEMA, load
    from vaccine.audit.lifecycle import Override
    from vaccine.audit.settings import AuditSettings
    from vaccine.candidates import SHOWN_AT
    from vaccine.catalog.keyname import parse_key
    from vaccine.connect import STATEMENT_TIMEOUT_MS, connect, is_superuser, milliseconds, read_only, resolve_url

    config = load(options["settings"])
    overrides = dict(config.lifecycle)
    for text, predicate in options.get("wheres", ()):
        name = parse_key(text)
        overrides[name.schema or DEFAULT_SCHEMA, name.table, name.columns] = Override(predicate=predicate)
    dsn = resolve_url(options["url"], options["alembic_ini"])
    first = next((each for each in (options["min_score"], config.min_score) if each is not None), SHOWN_AT)
    today = datetime.now(UTC).date()
    longest = max(STATEMENT_TIMEOUT_MS, milliseconds(options["table_s"]))
    with _progress() as progress, read_only(dsn, statement_timeout_ms=longest) as connection:
        if is_superuser(connection):
            say(SUPERUSER)
        yield (
            connection,
            AuditSettings(
                schemas=options["schemas"] or config.schemas,
                exclude=(*config.exclude, *options["exclude"]),
                data=not options.get("structure_only"),
                min_score=first,
                with_frameworks=options["with_frameworks"] or config.with_frameworks,
                budget_s=config.budget_s if options["budget_s"] is None else options["budget_s"],
                table_s=options["table_s"],
                jobs=options["jobs"] or config.jobs,
                connect=lambda: connect(dsn),
                source=options["source"],
                overrides=overrides,
                accepted=config.accepted_on(today),
                expired=config.expired_on(today),
                progress=progress,
            ),
        )


@contextmanager
def _progress() -> Iterator[Callable[[AuditProgress], None] | None]:
    """A line on stderr with the time left, on a terminal only; it vanishes at the end."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("reading the catalog") as status:

        def show(now: AuditProgress) -> None:
            left = "" if now.left_s is None else f", about {now.left_s:,.0f} s left"
            status.update(f"{now.done:,} of {now.total:,} tables{left}  {now.table}".replace("[", r"\["))

        yield show
