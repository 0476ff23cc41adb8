"""Which database: where its URL comes from, and connections to it. No message here shows a password."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import conninfo
from psycopg.rows import Row

from vaccine.errors import ConnectionFailedError, UsageError

VARIABLES = ("VACCINE_URL", "DATABASE_URL")
LIBPQ = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER")
SECRETS = ("password", "sslpassword", "passfile", "service", "servicefile", "options", "oauth_client_secret",
           "scram_client_key", "scram_server_key")  # fmt: skip
DRIVER = re.compile(r"^(postgres(?:ql)?)\+[a-z0-9_]+(?=://)")
PATH = "pg_catalog, pg_temp"
LOCK_TIMEOUT_MS = 5000
STATEMENT_TIMEOUT_MS = 600_000
MOST_MS = 2_147_483_647
# For one transaction, whatever role and database say: names, operators and casts are those of pg_catalog (a schema that
# others may write to could hold a better fitting operator); a policy's expression is refused, not run; literals are
# read as they were quoted. Never for a session: a pooler would hand it on to the application.
# `vaccine.schemas` keeps what the path was, for a table that a person names without its schema.
PIN = (
    "SELECT pg_catalog.set_config('vaccine.schemas', CASE"
    " WHEN pg_catalog.texteq(coalesce(pg_catalog.current_setting('vaccine.schemas', true), ''), '')"
    " THEN pg_catalog.current_schemas(false)::pg_catalog.text"
    " ELSE pg_catalog.current_setting('vaccine.schemas') END, true),"
    f" pg_catalog.set_config('search_path', '{PATH}', true),"
    " pg_catalog.set_config('row_security', 'off', true),"
    " pg_catalog.set_config('standard_conforming_strings', 'on', true), pg_catalog.set_config('jit', 'off', true),"
    " pg_catalog.set_config('lock_timeout', %s, true), pg_catalog.set_config('statement_timeout', %s, true)"
)


def milliseconds(seconds: float) -> int:
    """Seconds as a timeout of PostgreSQL; what is more than that can hold, or no number, is the most."""
    return int(seconds * 1000) if abs(seconds) < MOST_MS / 1000 else MOST_MS


class OneStatement(psycopg.Cursor[Row]):
    """A cursor of the extended protocol alone: a text that ends its statement to begin another one is an error.

    psycopg takes the simple protocol, which runs all that semicolons part, wherever a statement has no parameters.
    """

    def _execute_send(self, query: Any, *, force_extended: bool = True, binary: bool | None = None) -> None:
        super()._execute_send(query, force_extended=True, binary=binary)


def pin(
    connection: psycopg.Connection,
    *,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
) -> None:
    """Pin what names mean, and bound every wait, for the rest of the transaction; 0 bounds nothing."""
    OneStatement(connection).execute(PIN, (str(lock_timeout_ms), str(statement_timeout_ms)))


def resolve_url(
    url: str | None = None, alembic_ini: Path | None = None, environ: Mapping[str, str] = os.environ
) -> str:
    """The libpq connection string to use.

    In this order: `url`; VACCINE_URL; DATABASE_URL; libpq's own PG* variables and service files
    (an empty string: libpq reads them itself); `sqlalchemy.url` of alembic.ini.

    Raises:
        UsageError: nothing names a database, or what does is no connection string.
    """
    for source, text in [("--url", url), *((name, environ.get(name)) for name in VARIABLES)]:
        if text:
            return to_libpq(text, source)
    if any(environ.get(name) for name in LIBPQ):
        return ""
    ini = alembic_ini or Path("alembic.ini")
    text = _ini_url(ini)
    if text:
        return to_libpq(text, f"sqlalchemy.url of {ini}")
    raise UsageError(
        "no database was named",
        why="neither --url, VACCINE_URL, DATABASE_URL, the PG* variables nor sqlalchemy.url of alembic.ini is set",
        fix="give --url postgresql://user@host:5432/database (the password may stay in ~/.pgpass)",
    )


def to_libpq(text: str, source: str = "--url") -> str:
    """A libpq URL, a libpq keyword string or an SQLAlchemy URL as libpq takes it.

    Raises:
        UsageError: it is none of them. The text itself is not shown: it may hold a password.
    """
    plain = DRIVER.sub(r"\1", text.strip())
    scheme = plain.partition("://")[0] if "://" in plain else "postgresql"
    if scheme not in {"postgresql", "postgres"}:
        shown = scheme if re.fullmatch(r"[a-z0-9+_]{1,40}", scheme) else "an unknown scheme"
        raise UsageError(
            f"{source} does not name a PostgreSQL database",
            why=f"it begins with {shown}",
            fix="give postgresql://user@host:5432/database",
        )
    try:
        sound = not _is_ambiguous(plain) and _is_sound(conninfo.conninfo_to_dict(plain))
    except (psycopg.ProgrammingError, ValueError):  # the latter: percent-encoded bytes that are no text
        sound = False
    if not sound:
        raise UsageError(
            f"{source} is no connection string (it is not shown, it may hold a password)",
            why="libpq cannot parse it; a special character in a password must be percent-encoded",
            fix="give postgresql://user@host:5432/database, the password in ~/.pgpass or PGPASSWORD",
        )
    return plain


def _is_ambiguous(text: str) -> bool:
    """Whether a URL has an @ or a / that libpq would split elsewhere than its writer meant: a password shows then."""
    authority, _, path = text.partition("://")[2].partition("?")[0].partition("/")
    return authority.count("@") > 1 or "@" in path


def _is_sound(parts: Mapping[str, object]) -> bool:
    """Whether host and port are such: a password that was taken for one would be shown."""
    host, port = str(parts.get("host") or ""), str(parts.get("port") or "")
    return re.fullmatch(r"[\d,]*", port) is not None and ("@" not in host or host.startswith(("@", "/")))


def describe(dsn: str) -> str:
    """Where a connection string leads, for people: `user@host:port/database`, never the password."""
    parts = conninfo.conninfo_to_dict(dsn)
    host = parts.get("host") or parts.get("hostaddr") or os.environ.get("PGHOST") or "local socket"
    port = parts.get("port") or os.environ.get("PGPORT") or "5432"
    user = parts.get("user") or os.environ.get("PGUSER") or "?"
    database = parts.get("dbname") or os.environ.get("PGDATABASE") or user
    return f"{user}@{host}:{port}/{database}"


def connect(dsn: str, *, autocommit: bool = True) -> psycopg.Connection:
    """A new connection with application_name `vaccine`.

    Raises:
        ConnectionFailedError: the server cannot be reached or lets nobody in; says where, no password.
    """
    options: dict[str, str] = {} if "application_name" in dsn else {"application_name": "vaccine"}
    if "connect_timeout" not in dsn and "PGCONNECT_TIMEOUT" not in os.environ:
        options["connect_timeout"] = "10"
    if "client_encoding" not in dsn:  # by default the database's own: psycopg reads JSON in UTF-8 only
        options["client_encoding"] = "UTF8"
    if "keepalives" not in dsn:  # Alembic's connection says nothing while an index is built; firewalls forget such ones
        options["keepalives_idle"] = "30"
    try:
        connection = psycopg.connect(
            dsn,
            autocommit=autocommit,
            prepare_threshold=None,
            cursor_factory=OneStatement,
            **options,  # type: ignore[arg-type]
        )
        if not (connection.info.parameter_status("DateStyle") or "ISO").startswith("ISO"):
            connection.execute("SET datestyle = 'ISO'")  # psycopg reads timestamps in no other
            connection.commit()
    except psycopg.Error as error:
        raise ConnectionFailedError(
            f"cannot connect to {describe(dsn)}",
            why=_without_secrets(str(error), dsn),
            fix="see that the server runs, and that host, port, database, user, password and pg_hba.conf are right",
        ) from None
    return connection


@contextmanager
def read_only(dsn: str, *, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS) -> Iterator[psycopg.Connection]:
    """A connection inside one READ ONLY transaction that is pinned (see `pin`) and always rolled back."""
    connection = connect(dsn, autocommit=False)
    try:
        connection.read_only = True
        pin(connection, statement_timeout_ms=statement_timeout_ms)
        yield connection
    finally:
        connection.close()


def is_superuser(connection: psycopg.Connection) -> bool:
    """Whether the role may do all: what it reads had better be nobody's trap."""
    row = connection.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user").fetchone()
    return bool(row and row[0])


def _ini_url(path: Path) -> str | None:
    """`sqlalchemy.url` of an alembic.ini; None where it is missing, empty or Alembic's placeholder."""
    if not path.is_file():
        return None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return None
    text = parser.get("alembic", "sqlalchemy.url", fallback="").replace("%%", "%").strip()
    return None if not text or text.startswith("driver://") else text


def _without_secrets(message: str, dsn: str) -> str:
    parts = conninfo.conninfo_to_dict(dsn)
    lines = " / ".join(line.strip() for line in message.strip().splitlines())
    for value in sorted((str(parts[name]) for name in SECRETS if parts.get(name)), key=len, reverse=True):
        lines = lines.replace(value, "***")
    return lines
