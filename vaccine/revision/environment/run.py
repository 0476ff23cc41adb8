"""What env.py does: find the database, see to the version table's schema, and let Alembic run.

The revisions need a connection without a transaction of its own: nothing may run on it before
context.configure(), and every revision gets its own transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from logging.config import fileConfig
from pathlib import Path
from typing import Any

import psycopg
from alembic import context
from alembic.util import CommandError
from psycopg import sql
from sqlalchemy import create_engine, pool

from vaccine.connect import connect, resolve_url
from vaccine.errors import VaccineError
from vaccine.revision.environment.refusals import in_words, refuse_schema, schema_refused

BOUNDS = ("lock_timeout", "statement_timeout")  # of a statement that waits for a lock
OURS = "vaccine"  # the schema of the journal, and of our version table
ABSENT = """
SELECT pg_catalog.to_regnamespace(pg_catalog.quote_ident(%s)) IS NULL AND NOT pg_catalog.pg_is_in_recovery()
"""


def run_migrations(*, version_table_schema: str | None = OURS, **options: Any) -> None:
    """Run what the `alembic` command asks for, on the database or as a script (`--sql`).

    Args:
        version_table_schema: where Alembic's version table lies; it is made where it is missing. None is the
            first schema of the search_path, where most applications have theirs.
        options: whatever else `context.configure()` takes.

    Raises:
        CommandError: no database is named, it cannot be reached, or it refuses; in words.
    """
    _log_as_configured()
    include_name = options.pop("include_name", None)
    options = {
        "transaction_per_migration": True,
        **options,
        "version_table_schema": version_table_schema,
        "include_name": lambda *given: not _ours(*given) and (include_name is None or include_name(*given)),
    }
    if context.is_offline_mode():
        _write_script(version_table_schema, options)
    else:
        with _as_command_error():
            _run(version_table_schema, options)


def _log_as_configured() -> None:
    """The log as alembic.ini has it, where it says something of one."""
    config = context.config
    if config.config_file_name is not None and config.file_config.has_section("loggers"):
        fileConfig(config.config_file_name, disable_existing_loggers=False)


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a name of the database is Vaccine's schema: autogenerate would drop the journal."""
    return kind == "schema" and name == OURS


def _write_script(schema: str | None, options: dict[str, Any]) -> None:
    context.configure(dialect_name="postgresql", **options)
    _make_version_table_once(str(options.get("version_table", "alembic_version")))
    if schema is not None:
        for bound in BOUNDS:
            context.execute(f"SET {bound} = '5s'")
        context.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)).as_string())
        for bound in BOUNDS:
            context.execute(f"RESET {bound}")
    with context.begin_transaction():
        context.run_migrations()


def _make_version_table_once(table: str) -> None:
    """Let a script from the base make the version table only where it is missing: a way back leaves it there."""
    implementation = context.get_context().impl
    write = implementation.static_output
    implementation.static_output = lambda text: write(  # type: ignore[method-assign]
        re.sub(rf'\A(\s*CREATE TABLE )(?=(\S+\.)?"?{re.escape(table)}"? \()', r"\1IF NOT EXISTS ", text)
    )


def _run(schema: str | None, options: dict[str, Any]) -> None:
    """Run on the database, on a connection that holds no transaction."""
    config = context.config
    ini = Path(config.config_file_name) if config.config_file_name else None
    target = resolve_url(context.get_x_argument(as_dictionary=True).get("url"), ini)
    table = str(options.get("version_table", "alembic_version"))
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(target, autocommit=False), poolclass=pool.NullPool
    )
    with in_words(schema, table), engine.connect() as connection:
        context.configure(connection=connection, **options)
        if schema is not None:
            with connect(target) as beside:  # SQL on Alembic's own connection would open a transaction there
                if not context.get_context().opts.get("dont_mutate"):  # `alembic current` makes nothing
                    _make(beside, schema)
                refuse_schema(beside, schema, table)
        with context.begin_transaction():
            context.run_migrations()


def _make(connection: psycopg.Connection, schema: str) -> None:
    """Make the version table's schema where it is missing."""
    row = connection.execute(ABSENT, (schema,)).fetchone()
    if row is None or not row[0]:
        return
    try:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    except psycopg.Error as error:
        raise schema_refused(connection, schema, error) from None


@contextmanager
def _as_command_error() -> Iterator[None]:
    """Errors of ours as Alembic's: it prints those without a traceback."""
    try:
        yield
    except CommandError:
        raise
    except VaccineError as error:
        raise CommandError(str(error)) from None
