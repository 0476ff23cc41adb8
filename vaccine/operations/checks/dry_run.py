"""The checks asked for a plan: read-only; and, where the role may, on a second connection that may write.

What is tried there (a temporary index, one UPDATE a group) is taken back, and the connection ends with a ROLLBACK.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from psycopg import conninfo, sql

from ..key import Key, Policy
from ..rows.find import Work, excess_rows, find
from ..table import read_table
from .ask import ask, halting
from .model import Question, Reason, Stage, Subject
from .trial import LOCK_MS

MAY_TRY = """
SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'this is a standby'
            WHEN pg_catalog.current_setting('default_transaction_read_only')::boolean
            THEN 'default_transaction_read_only is on'
            WHEN NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')
            THEN 'role ' || current_user || ' may not make temporary tables'
            WHEN NOT pg_catalog.has_table_privilege(c.oid, 'UPDATE')
            THEN 'role ' || current_user || ' may not UPDATE the table' END
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = %s
"""
PIN = """
SELECT pg_catalog.set_config(s.name, s.setting, true)
  FROM (VALUES ('search_path', 'pg_catalog, pg_temp'), ('lock_timeout', %s::text), ('row_security', 'off'),
               ('datestyle', 'ISO')) AS s (name, setting)
"""
UNTRIED = "untried"
ONLY_WITH_ROWS = {"no-primary-key", "no-way-to-retire"}


def ask_dry(
    connection: psycopg.Connection,
    key: Key,
    policy: Policy,
    index: str,
    rows: int,
    *,
    left: sql.Composable | None = None,
) -> tuple[Reason, ...]:
    """Every reason that would stop the upgrade, and what to know before; `rows` is how many rows would be resolved.

    `left` is the table as earlier vaccinations of a plan will leave it, as FROM takes it.

    `connection` is in a READ ONLY transaction, and stays as it is.
    """
    server = ask(Subject(connection, Question(key, policy, index, dry=True), writes=False), Stage.SERVER)
    if halting(server):
        return tuple(server)
    row = connection.execute(MAY_TRY, (key.schema, key.table)).fetchone()
    hindrance = row[0] if row else None
    if hindrance is None:
        try:
            with _trial_connection(connection, key) as (other, path):
                asked = Question(key, policy, index, path=path, dry=True)
                return (*server, *_ask_rest(other, asked, rows, left, writes=True))
        except psycopg.OperationalError as error:
            hindrance = f"no second connection could do it ({' '.join(str(error).split())})"
    found = _ask_rest(connection, Question(key, policy, index, dry=True), rows, left, writes=False)
    untried = Reason(
        UNTRIED,
        f"neither the index nor the UPDATE was tried: {hindrance}",
        "plan as the role that will run the upgrade to have them tried; its preflight does so before any row changes",
        blocking=False,
    )
    return (*server, *found, untried)


def untried(reasons: Iterable[Reason]) -> bool:
    """Whether what writes was left out."""
    return any(reason.code == UNTRIED for reason in reasons)


def _ask_rest(
    connection: psycopg.Connection, question: Question, rows: int, left: sql.Composable | None, *, writes: bool
) -> list[Reason]:
    reasons = ask(Subject(connection, question, writes), Stage.TABLE, Stage.INDEX)
    if not rows:  # none as the table will be by then, whatever it has now
        return [reason for reason in reasons if reason.code not in ONLY_WITH_ROWS]
    table = read_table(connection, question.key)
    if halting(reasons) or table is None or not table.primary_key:
        return reasons
    if writes and left is None:
        find(connection, table, question.key, question.policy)
    else:
        found = excess_rows(Work(table, question.key, question.policy, 0, 0), left)
        question = replace(question, rows=sql.SQL("({})").format(found).as_string(connection))
    return reasons + ask(Subject(connection, question, writes), Stage.ROWS)


@contextmanager
def _trial_connection(connection: psycopg.Connection, key: Key) -> Iterator[tuple[psycopg.Connection, str]]:
    """Another session like this one, in a transaction that is rolled back; and the search_path that a run would have.

    As in every session of the analysis, names resolve in pg_catalog alone; only triggers see what they will see then.
    """
    info = connection.info
    where: dict[str, str | int] = {"host": info.host, "port": info.port, "dbname": info.dbname}
    parts: dict[str, str | int] = {**where, "user": info.user, "password": info.password}
    target = conninfo.make_conninfo(info.dsn, **{name: part for name, part in parts.items() if part})
    other = psycopg.connect(target, autocommit=False, prepare_threshold=None, client_encoding="UTF8")
    try:
        ours = sql.Identifier(key.schema).as_string(connection)
        row = other.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
        path = ", ".join([*filter(None, row or ()), ours, "pg_temp"])
        other.execute(PIN, (f"{LOCK_MS}ms",))
        yield other, path
    finally:
        other.rollback()
        other.close()
