"""Vaccine's Alembic environment. Options: `alembic -x url=…` and `-x vaccine.NAME=VALUE`.

The revisions need a connection without a transaction of its own: nothing may run on it before
context.configure(), and every revision gets its own transaction.
"""

from logging.config import fileConfig
from pathlib import Path

from alembic import context
from alembic.util import CommandError
from sqlalchemy import create_engine, pool
from sqlalchemy.exc import DBAPIError

from vaccine.connect import connect, resolve_url
from vaccine.errors import PermissionDeniedError, VaccineError

config = context.config
SCHEMA = "vaccine"  # of the version table
READ_ONLY = "25006"
DENIED = """
SELECT FROM pg_catalog.pg_namespace n
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'alembic_version'
 WHERE n.nspname = 'vaccine'
   AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE')
            AND CASE WHEN c.oid IS NULL THEN pg_catalog.has_schema_privilege(n.oid, 'CREATE')
                     ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)
"""

if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)


def url() -> str:
    """The database's libpq URL; its password is never printed."""
    ini = Path(config.config_file_name) if config.config_file_name else None
    try:
        return resolve_url(context.get_x_argument(as_dictionary=True).get("url"), ini)
    except VaccineError as error:
        raise CommandError(str(error)) from None


def run_migrations_offline() -> None:
    """Print a script (`--sql`)."""
    context.configure(dialect_name="postgresql", transaction_per_migration=True, version_table_schema=SCHEMA)
    context.execute("CREATE SCHEMA IF NOT EXISTS vaccine")
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online() -> None:
    """Run on the database, on a connection that holds no transaction."""
    target = url()
    try:
        # The version table's schema, on a connection of its own: SQL before configure() opens a transaction.
        with connect(target) as first:
            absent = "SELECT WHERE pg_catalog.to_regnamespace('vaccine') IS NULL AND NOT pg_catalog.pg_is_in_recovery()"
            if first.execute(absent).fetchone() is not None:
                first.execute("CREATE SCHEMA IF NOT EXISTS vaccine")
            if first.execute(DENIED).fetchone() is not None:
                raise PermissionDeniedError(
                    f"user {first.info.user} may not use the schema vaccine; nothing was changed",
                    why="Alembic's version table and the journal lie there",
                    fix="run as the role that made it, or grant USAGE and CREATE on the schema and all on its tables",
                )
    except VaccineError as error:
        raise CommandError(str(error)) from None
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(target, autocommit=False), poolclass=pool.NullPool
    )
    with engine.connect() as connection:
        context.configure(connection=connection, transaction_per_migration=True, version_table_schema=SCHEMA)
        try:
            with context.begin_transaction():
                context.run_migrations()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != READ_ONLY:
                raise
            raise CommandError(
                "the server takes no writes; nothing was changed\n"
                "  why: it is a standby, or default_transaction_read_only is on for this role or database\n"
                "  fix: connect to the primary, or set that off, then run the same command again"
            ) from None


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
