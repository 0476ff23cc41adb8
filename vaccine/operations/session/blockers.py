"""Who would make CREATE INDEX CONCURRENTLY wait, and who does: named so that a DBA can act.

The build waits for every transaction that wrote the table or holds a lock against SHARE on it, prepared
ones too, and at its end for every snapshot in the same database that is older than its own, on any table
(manual, CREATE INDEX, "Building Indexes Concurrently"). DROP INDEX CONCURRENTLY waits for every
transaction that holds any lock on the table, readers included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from ..key import Key
from ..table import table_oid

UNSEEN = "hidden from this role"
HIDDEN_QUERIES = {None, "<insufficient privilege>"}
TO_SEE = (
    "GRANT pg_read_all_stats (or pg_monitor) to this role, and it says what a hidden session does and for how long; "
    "to end one takes pg_signal_backend"
)


@dataclass(frozen=True)
class Blocker:
    """One session or prepared transaction that holds something up.

    `kind` is `writer` (wrote the table, or locks it against a build), `locker` (locks rows of it), `reader` (only
    reads it), `snapshot` (an old view of the database), `autovacuum`, or `prepared` (a prepared transaction; then
    `pid` is None and `transaction` its name). `age_s` is the age of its transaction in seconds. What the
    role may not see (pg_read_all_stats) is None. `writes` says whether a build waits for it, `vxid` is its virtual
    transaction, which pg_locks shows to everybody.
    """

    pid: int | None
    application: str | None
    user: str | None
    state: str | None
    query: str | None
    age_s: float | None
    kind: str
    transaction: str | None
    since: datetime | None
    writes: bool = True
    vxid: str | None = None

    @property
    def identity(self) -> tuple[int | None, str | None, datetime | str | None]:
        """The same in two readings as long as it is the same transaction."""
        return self.pid, self.transaction, self.since or self.vxid

    @property
    def hidden(self) -> bool:
        """Whether this role is not shown what the session does, nor for how long."""
        return self.pid is not None and self.state is None and self.query in HIDDEN_QUERIES

    @property
    def remedy(self) -> str:
        """What ends it, as SQL."""
        if self.pid is None:
            return f"COMMIT PREPARED or ROLLBACK PREPARED '{(self.transaction or '').replace(chr(39), chr(39) * 2)}'"
        return f"SELECT pg_terminate_backend({self.pid})"

    def __str__(self) -> str:
        age = "of unknown age" if self.age_s is None else f"open for {duration(self.age_s)}"
        if self.pid is None:
            return f"prepared transaction {self.transaction!r} (user {self.user}, {age})"
        if self.hidden:
            return (
                f"{self.kind} pid {self.pid} (application {self.application or 'unnamed'}, user {self.user}, {UNSEEN})"
            )
        query = " ".join((self.query or "").split())
        shown = f": {query[:120]}{'…' if len(query) > 120 else ''}" if query else ""
        named = f"application {self.application or 'unnamed'}, user {self.user or 'unknown'}"
        return f"{self.kind} pid {self.pid} ({named}, {self.state or 'state unknown'}, {age}){shown}"


def to_see(why: str) -> str:
    """What to add to a fix, when a message names a session of which this role is shown nothing."""
    return f"; {TO_SEE}" if UNSEEN in why else ""


def duration(seconds: float) -> str:
    """A length of time in words: `0.3 s`, `42 s`, `5 min 3 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def named(blockers: Iterable[Blocker], most: int = 5) -> str:
    """The blockers in words, at most `most` of them, oldest first."""
    found = sorted(blockers, key=lambda each: -(each.age_s or 0))
    more = f"; and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(map(str, found[:most])) + more


_SESSION = """
    SELECT a.pid, a.application_name AS application, a.usename::text AS "user", a.state, a.query,
           extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS age_s, {kind} AS kind,
           NULL::text AS transaction, a.xact_start AS since, {writes} AS writes, {vxid} AS vxid
    FROM pg_catalog.pg_stat_activity AS a
"""

# The documented join of pg_locks with pg_prepared_xacts on virtualtransaction misses transactions that
# were prepared in this life of the server: their own transactionid lock names them.
_PREPARED = """
    SELECT NULL::int AS pid, NULL::text AS application, p.owner::text AS "user", 'prepared' AS state,
           NULL::text AS query, extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS age_s,
           'prepared' AS kind, p.gid AS transaction, p.prepared AS since, {writes} AS writes, NULL AS vxid
    FROM pg_catalog.pg_prepared_xacts AS p
"""

_HELD = """
    WITH held AS (
        SELECT l.pid, l.virtualtransaction,
               bool_or(l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareLock')) AS writes,
               bool_or(l.mode <> 'AccessShareLock') AS locks
        FROM pg_catalog.pg_locks AS l
        WHERE l.locktype = 'relation' AND l.granted AND l.relation = %(table)s
          AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
          AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
        GROUP BY l.pid, l.virtualtransaction
    )
"""
_OF_HOLDERS = " JOIN held USING (pid) UNION ALL "
_PREPARED_HOLDERS = """
    JOIN pg_catalog.pg_locks AS x ON x.locktype = 'transactionid' AND x.pid IS NULL AND x.transactionid = p.transaction
    JOIN held ON held.pid IS NULL AND held.virtualtransaction = x.virtualtransaction
"""
_AUTOVACUUM = "a.backend_type = 'autovacuum worker' OR a.backend_type IS NULL AND a.usesysid IS NULL"
_HOLDER_KIND = f"""CASE WHEN {_AUTOVACUUM} THEN 'autovacuum' WHEN held.writes THEN 'writer'
                        WHEN held.locks THEN 'locker' ELSE 'reader' END"""
# Who holds any lock on %(table)s, an oid: a script asks it too.
HOLDERS = (
    _HELD
    + _SESSION.format(kind=_HOLDER_KIND, writes="held.writes", vxid="held.virtualtransaction")
    + _OF_HOLDERS
    + _PREPARED.format(writes="held.writes")
    + _PREPARED_HOLDERS
)

_WITH_SNAPSHOT = """
    WHERE a.datname = current_database() AND a.backend_xmin IS NOT NULL
      AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_type = 'client backend'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum AS v WHERE v.pid = a.pid)
"""
_SNAPSHOTS = _SESSION.format(kind="'snapshot'", writes="true", vxid="NULL") + _WITH_SNAPSHOT

_IN_THE_WAY = " WHERE a.pid = ANY (pg_catalog.pg_blocking_pids(%(pid)s)) UNION ALL "
_PREPARED_IN_THE_WAY = """
    JOIN pg_catalog.pg_locks AS w ON w.locktype = 'transactionid' AND w.transactionid = p.transaction
    WHERE w.pid = %(pid)s AND NOT w.granted
"""
_WAITED_KIND = f"""CASE WHEN {_AUTOVACUUM} THEN 'autovacuum'
                        WHEN a.backend_xmin IS NOT NULL THEN 'snapshot' ELSE 'writer' END"""
_WAITED_FOR = (
    _SESSION.format(kind=_WAITED_KIND, writes="true", vxid="NULL")
    + _IN_THE_WAY
    + _PREPARED.format(writes="true")
    + _PREPARED_IN_THE_WAY
)


def who_would_block(connection: psycopg.Connection, key: Key, *, ignore: Sequence[int] = ()) -> tuple[Blocker, ...]:
    """The sessions and prepared transactions that a build on the key's table would wait for now.

    An autovacuum is left out unless it prevents wraparound: PostgreSQL cancels it for the build
    after deadlock_timeout. `ignore` lists backends of our own.
    """
    holders = [each for each in holders_of(connection, key) if each.writes and not _gives_way(each)]
    seen = {each.pid for each in holders}
    with connection.cursor(row_factory=class_row(Blocker)) as cursor:
        snapshots = cursor.execute(_SNAPSHOTS).fetchall()
    found = holders + [each for each in snapshots if each.pid not in seen]
    return tuple(each for each in found if each.pid is None or each.pid not in ignore)


def holders_of(connection: psycopg.Connection, key: Key, *, ignore: Sequence[int] = ()) -> tuple[Blocker, ...]:
    """Who holds any lock on the key's table: DROP INDEX CONCURRENTLY waits for each of them."""
    table = table_oid(connection, key)
    if table is None:
        return ()
    with connection.cursor(row_factory=class_row(Blocker)) as cursor:
        found = cursor.execute(HOLDERS, {"table": table}).fetchall()
    return tuple(each for each in found if each.pid is None or each.pid not in ignore)


def who_blocks(connection: psycopg.Connection, pid: int) -> tuple[Blocker, ...]:
    """Whom the backend `pid` waits for at this moment; asked on another connection."""
    with connection.cursor(row_factory=class_row(Blocker)) as cursor:
        return tuple(cursor.execute(_WAITED_FOR, {"pid": pid}).fetchall())


def _gives_way(blocker: Blocker) -> bool:
    return blocker.kind == "autovacuum" and "wraparound" not in (blocker.query or "")
