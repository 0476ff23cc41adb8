"""From Alembic's connection to connections of our own, to the same server, database and role."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from alembic import util
from psycopg import conninfo, sql
from psycopg.types.json import Jsonb
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ...errors import shown
from ..errors import BusyError, OperationError, PreflightError
from ..key import Key
from ..options import Options
from .caller import calling, calling_revision, version_table
from .command import alembic_again
from .pooler import refuse_pooler
from .run import Run
from .stamp import await_stamp, forget_stamp, told
from .stop import Stop

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

SETTINGS = {  # of every connection of ours, for the whole session
    "lock_timeout": "0",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "3s",  # a client that hangs, or its network, holds no lock for longer
    "transaction_timeout": "0",  # from 17
    "idle_session_timeout": "0",  # from 14
    "client_connection_check_interval": "1s",  # from 14: the server stops a build whose client died
    "tcp_keepalives_idle": "30",  # a peer that vanished frees the run's lock on the table within a minute
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60s",
    "default_transaction_isolation": "read committed",
    "datestyle": "ISO",  # psycopg reads no other; the order of day and month stays the role's
    "row_security": "off",  # rows hidden by a policy are an error, never silently left out
}


STARTED_AT = """pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.pg_postmaster_start_time()),
                                 'YYYY-MM-DD HH24:MI:SS.US') || ' UTC'"""
SILENCE_ALLOWED = """SELECT s.setting FROM pg_catalog.pg_settings AS s,
       LATERAL pg_catalog.set_config(s.name, {}, false) AS changed WHERE s.name = 'idle_session_timeout'"""  # from 14
PATIENCE = {
    "connect_timeout": "10",  # seconds
    "keepalives_idle": "30",  # seconds, then a probe each 10, of which 3 may be lost
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds
}


@dataclass(frozen=True)
class Origin:
    """Alembic's session: what our connections must share with it."""

    session_user: str
    role: str
    search_path: str
    database: str
    started_at: str


@contextmanager
def run_of(context: MigrationContext, key: Key, stop: Stop) -> Iterator[Run]:
    """A run beside Alembic's connection, which holds no transaction meanwhile.

    Raises:
        PreflightError: env.py has opened a transaction that Vaccine can neither use nor end.
        OperationError: our own connection could not be made.
    """
    options = options_of(context)
    forget_stamp(context.connection)
    refuse_open_transaction(context)
    with _first_cause(), context.autocommit_block(), _kept_alive(context):
        origin = _origin(context)
        target = _target(context)
        refuse_pooler(partial(_bare, target))

        def connect() -> psycopg.Connection:
            return _open(target, origin, key.schema)

        worker = connect()
        try:
            stamped = worker.execute(
                sql.SQL("SELECT {}").format(version_table(context.version_table_schema, context.version_table))
            ).fetchone()
            where = str(stamped[0] or "") if stamped else ""
            yield Run(calling_revision(), options, connect, worker, _speaker(context), where, stop)
        finally:
            worker.close()
    await_stamp(context, calling(), alembic_again(context))


@contextmanager
def _first_cause() -> Iterator[None]:
    """On a lost connection Alembic's block ends with an error of its own, over the one that tells why."""
    try:
        yield
    except (SQLAlchemyError, psycopg.Error) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OperationError | KeyboardInterrupt):
            cause = cause.__context__
        if cause is None:
            raise
        raise cause from None


@contextmanager
def _kept_alive(context: MigrationContext) -> Iterator[None]:
    """Alembic's session says nothing while we work: no timeout of the role may end it, and it must be there to stamp.

    Raises:
        OperationError: it was ended meanwhile. A new one would lack what env.py has set on it, search_path or role.
    """
    assert context.connection is not None
    before = context.connection.exec_driver_sql(SILENCE_ALLOWED.format("'0'")).all()
    try:
        yield
    except BaseException:
        with suppress(DBAPIError):
            _as_before(context, before)
        raise
    try:
        _as_before(context, before)
    except DBAPIError as error:
        raise OperationError(
            f"this step's work is done, but Alembic's own connection was lost, so {calling_revision()} is not stamped",
            why=told(error),
            fix="run the same command again: it recognises what is done, and stamps",
        ) from None


def _as_before(context: MigrationContext, before: Sequence[Row[Any]]) -> None:
    assert context.connection is not None
    context.connection.exec_driver_sql("SELECT 1")
    for (setting,) in before:
        literal = sql.Literal(setting).as_string(None)
        context.connection.exec_driver_sql(SILENCE_ALLOWED.format(literal))


def options_of(context: MigrationContext) -> Options:
    """The options given by `alembic -x vaccine.NAME=VALUE`."""
    environment = context.environment_context
    given = environment.get_x_argument(as_dictionary=True) if environment is not None else {}
    return Options.parse({name: str(text) for name, text in given.items()})


def refuse_open_transaction(context: MigrationContext) -> None:
    """See in words what `autocommit_block()` would answer with an AssertionError without a message.

    Raises:
        PreflightError: a transaction is open that Alembic did not open.
    """
    connection = context.connection
    if connection is None or not connection.in_transaction():
        return
    if context._transaction is not None and not context._in_external_transaction:  # noqa: SLF001  no public form
        return
    raise PreflightError(
        "env.py has opened a transaction around the migrations; nothing was changed",
        why="batches must commit one by one and CREATE INDEX CONCURRENTLY cannot run in a transaction, but the "
        "connection given to context.configure() is already in one: env.py uses engine.begin(), or it ran a "
        "statement before context.configure()",
        fix="in env.py use `with engine.connect() as connection:`, and end what ran before context.configure() "
        "with connection.commit(); `vaccine init` writes an env.py that does so",
    )


def refuse_overtaken(context: MigrationContext) -> None:
    """See whether another run has stamped the revision while this one waited: Alembic would trip over its own stamp.

    Raises:
        BusyError: the revision is stamped as this run would stamp it.
    """
    caller = calling()
    stamped = caller.revision in context.get_current_heads()
    if (caller.function == "upgrade" and stamped) or (caller.function == "downgrade" and not stamped):
        raise BusyError(
            f"another run has ended the {caller.function} of revision {caller.revision} meanwhile; "
            "nothing is left to do for it",
            why="two `alembic` commands ran at once on one database; Vaccine let one go after the other",
            fix="see `alembic current`; run the same command again where there are more revisions to go",
        )


def _origin(context: MigrationContext) -> Origin:
    assert context.connection is not None
    row = context.connection.exec_driver_sql(
        "SELECT session_user::text, pg_catalog.current_setting('role'), pg_catalog.current_setting('search_path'),"
        f" pg_catalog.current_database()::text, {STARTED_AT}"
    ).one()
    return Origin(*map(str, row))


def _target(context: MigrationContext) -> str:
    """The connection string of Alembic's connection, with its password."""
    assert context.connection is not None
    driver: Any = context.connection.connection.driver_connection
    if isinstance(driver, psycopg.Connection | psycopg.AsyncConnection):
        mine = driver.info
        return _conninfo(mine.dsn, {**_exact(mine), "password": mine.password})
    info: Any = getattr(driver, "info", None)
    if hasattr(info, "dsn_parameters"):  # psycopg2
        return _conninfo("", {**info.dsn_parameters, **_exact(info), "password": info.password})
    url = context.connection.engine.url
    return _conninfo(url.set(drivername="postgresql", query={}).render_as_string(hide_password=False), {})


def _exact(info: Any) -> dict[str, Any]:
    """The one server, of a list perhaps, that a connection reached."""
    return {"host": info.host, "port": info.port, "dbname": info.dbname, "user": info.user}


def with_patience(target: str, environ: Mapping[str, str]) -> str:
    """The connection string with bounds for a server that does not answer, each where neither it nor libpq has one.

    A run waits for hours on connections that say nothing meanwhile: keepalives keep a firewall from forgetting them,
    and a dead peer is noticed within a minute (manual, section 34.1.2).
    """
    given = conninfo.conninfo_to_dict(target)
    chosen = {name: text for name, text in PATIENCE.items() if name not in given}
    if environ.get("PGCONNECT_TIMEOUT"):
        chosen.pop("connect_timeout", None)
    return conninfo.make_conninfo(target, **chosen)


def _conninfo(dsn: str, parts: Mapping[str, Any]) -> str:
    return conninfo.make_conninfo(dsn, **{name: part for name, part in parts.items() if part not in {None, ""}})


def _bare(target: str) -> psycopg.Connection:
    try:
        return psycopg.connect(
            with_patience(target, os.environ),
            autocommit=True,
            prepare_threshold=None,
            application_name="vaccine",
            client_encoding="UTF8",  # psycopg reads JSON in no other, and in SQL_ASCII no text at all
        )
    except psycopg.Error as error:
        where = conninfo.conninfo_to_dict(target)
        raise OperationError(
            "Vaccine could not open a connection of its own, beside Alembic's, to "
            f"{where.get('host') or 'the local socket'}:{where.get('port') or '5432'}; nothing more was changed",
            why=" / ".join(line.strip() for line in str(error).splitlines()),
            fix="allow this role a few more connections (a run uses up to two), see pg_hba.conf and the password; "
            "on a timeout, see the network between, or give connect_timeout=SECONDS in the URL",
        ) from None


def _open(target: str, origin: Origin, schema: str) -> psycopg.Connection:
    connection = _bare(target)
    try:
        _as_origin(connection, origin, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _as_origin(connection: psycopg.Connection, origin: Origin, schema: str) -> None:
    """Make a new connection like Alembic's session: user, role, search_path; and safe against the role's defaults."""
    row = connection.execute(f"SELECT session_user::text, pg_catalog.current_database()::text, {STARTED_AT}").fetchone()
    assert row is not None
    if row[1] != origin.database or row[2] != origin.started_at:
        raise OperationError(
            "Vaccine's own connection reached another server than Alembic's; nothing was changed",
            why=f"Alembic is connected to database {origin.database} of a server started {origin.started_at}, "
            f"Vaccine to {row[1]} of one started {row[2]}",
            fix="give env.py the direct URL of one server: no balancer, no list of hosts",
        )
    if row[0] != origin.session_user:
        connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(origin.session_user)))
    if origin.role != "none":
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(origin.role)))
    connection.execute(
        "SELECT pg_catalog.set_config(s.name, %s::jsonb ->> s.name, false)"
        " FROM pg_catalog.pg_settings s WHERE s.name = ANY (%s)",
        (Jsonb(SETTINGS), list(SETTINGS)),
    )
    # The table's schema comes last, so that a predicate finds the types beside its table; the order that the
    # DBA's session has goes before it, and pg_catalog before all. Temporary objects never shadow anything.
    path = f"{origin.search_path}, " if origin.search_path.strip() else ""
    ours = sql.Identifier(schema).as_string(connection)
    connection.execute("SELECT pg_catalog.set_config('search_path', %s, false)", (f"{path}{ours}, pg_temp",))


def _speaker(context: MigrationContext) -> Any:
    """Lines go where Alembic's own messages go; `alembic --quiet` silences them too.

    A terminal that was closed, or a pipe whose reader went away, ends no run: least of all its clean-up.
    """
    quiet = bool(context.config is not None and context.config.messaging_opts.get("quiet", False))

    def say(line: str) -> None:
        with suppress(OSError, ValueError):
            util.msg(shown(line), flush=True, quiet=quiet)

    return say
