"""The unique index, built CONCURRENTLY: every state that an earlier run may have left is recognised and repaired.

The build stands alone on its connection, with lock_timeout 0: a lock_timeout would also fire while it waits
for other sessions (manual, CREATE INDEX, "Building Indexes Concurrently"). A second connection watches it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from .blockers import named, who_would_block
from .errors import BlockedError, BuildError, PreflightError
from .key import Key, raw
from .run import Run

POLL_S = 0.1
SAY_EVERY_S = 5.0


@dataclass(frozen=True)
class IndexState:
    """`kind`: absent, valid, invalid_not_ready, invalid_ready, building, or other (then `description` says what)."""

    kind: str
    description: str = ""
    pid: int | None = None


@dataclass(frozen=True)
class IndexOutcome:
    """What a build did: `builds` tries, `resolved` late duplicates, milliseconds; 0 builds when it was there."""

    builds: int
    resolved: int
    ms: float


_FACTS = """
SELECT {same_table}, x.indisvalid, x.indisready, x.indisunique, m.amname::text,
       ARRAY(SELECT pg_catalog.pg_get_indexdef(x.indexrelid, place, true)
               FROM pg_catalog.generate_series(1, x.indnatts) AS place ORDER BY place),
       x.indnatts = x.indnkeyatts, pg_catalog.pg_get_expr(x.indpred, x.indrelid),
       pg_catalog.pg_get_indexdef(x.indexrelid)
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = i.relam
 WHERE x.indexrelid = {index}
"""
_RELATION = """
SELECT c.oid::bigint, c.relkind::text FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = {schema} AND c.relname = {name}
"""
_BUILDER = "SELECT pid FROM pg_catalog.pg_stat_progress_create_index WHERE index_relid = {index} OR relid = {table}"
_PROGRESS = """
SELECT phase, blocks_done, blocks_total, lockers_total, lockers_done, current_locker_pid
  FROM pg_catalog.pg_stat_progress_create_index WHERE pid = {pid}
"""
_LEFTOVERS = """
SELECT i.relname::text FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
 WHERE x.indrelid = {table}::pg_catalog.regclass AND NOT x.indisvalid AND i.relname ~ {pattern}
"""


def index_statement(name: str, key: Key, *, concurrently: bool = True) -> sql.Composed:
    """The CREATE UNIQUE INDEX of a key."""
    statement = sql.SQL("CREATE UNIQUE INDEX {}{} ON {} ({})").format(
        sql.SQL("CONCURRENTLY " if concurrently else ""), sql.Identifier(name), key.relation, key.column_list
    )
    return statement + raw(f" WHERE {key.where}") if key.where else statement


def index_state(connection: psycopg.Connection, name: str, key: Key) -> IndexState:
    """What stands under the name now, judged by its definition."""
    found = connection.execute(
        sql.SQL(_RELATION).format(schema=sql.Literal(key.schema), name=sql.Literal(name))
    ).fetchone()
    if found is None:
        return IndexState("absent")
    oid, kind = found
    if kind != "i":
        return IndexState("other", f"a relation that is no index (relkind {kind})")
    facts = _facts(connection, oid, key)
    assert facts is not None
    if not facts[0] or facts[3:8] != _wanted(connection, key):
        return IndexState("other", facts[8])
    if facts[1]:
        return IndexState("valid")
    builder = connection.execute(
        sql.SQL(_BUILDER).format(
            index=sql.Literal(oid), table=_regclass(connection, key) + sql.SQL("::pg_catalog.regclass")
        )
    ).fetchone()
    if builder is not None:
        return IndexState("building", pid=builder[0])
    return IndexState("invalid_ready" if facts[2] else "invalid_not_ready")


def same_meaning(connection: psycopg.Connection, key: Key) -> tuple[str, ...]:
    """The valid unique indexes of the table that have the very key and predicate, under whatever name."""
    rows = connection.execute(
        sql.SQL(
            "SELECT i.relname::text, i.oid::bigint FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i"
            " ON i.oid = x.indexrelid WHERE x.indrelid = {}::pg_catalog.regclass AND x.indisvalid AND x.indisunique"
            " ORDER BY i.relname"
        ).format(_regclass(connection, key))
    ).fetchall()
    wanted = _wanted(connection, key) if rows else ()
    return tuple(name for name, oid in rows if (facts := _facts(connection, oid, key)) and facts[3:8] == wanted)


def build_unique_index(
    run: Run, name: str, key: Key, *, resolve: Callable[[], int], gate: str = "auto"
) -> IndexOutcome:
    """Build the index, or finish what an earlier run began; returns when it is valid.

    Raises:
        PreflightError: the name belongs to something else.
        BlockedError: other sessions held the build up longer than `wait_s`.
        BuildError: duplicates kept arriving through all builds.
        DriftedError: from `resolve`, more of them than approved.
    """
    del gate
    began, resolved, builds = time.monotonic(), 0, 0
    while builds < run.options.builds:
        state = index_state(run.worker, name, key)
        if state.kind == "valid":
            return IndexOutcome(builds, resolved, (time.monotonic() - began) * 1000)
        if state.kind == "other":
            raise PreflightError(
                f"the name {name} is taken; nothing was changed", why=state.description, fix="plan again with --name"
            )
        if state.kind == "building":
            _wait_for_builder(run, name, key)
            continue
        if state.kind == "invalid_not_ready":
            run.say(f"{name} is an INVALID leftover that enforces nothing: dropping it")
            drop_unique_index(run, name, key)
        builds += 1
        ready = state.kind == "invalid_ready"
        if ready:
            run.say(f"{name} is an INVALID leftover that enforces already: repairing it")
            resolved += resolve()
        try:
            _watched(run, _repair(name, key) if ready else index_statement(name, key), name, key)
        except errors.UniqueViolation:
            run.say(f"duplicates arrived during build {builds} of {name}: resolving them")
            _drop_leftovers(run, name, key)
            if index_state(run.worker, name, key).kind == "invalid_not_ready":
                drop_unique_index(run, name, key)
            resolved += resolve()
    raise BuildError(
        f"{name} could not be built: duplicates arrived during each of {builds} builds",
        why="writers insert duplicates faster than they are resolved",
        fix="run it again with -x vaccine.gate=always, or when the writers are quiet",
    )


def drop_unique_index(run: Run, name: str, key: Key) -> bool:
    """Drop the index and its leftovers CONCURRENTLY; False when there was none. Another relation of that name stays.

    Raises:
        BlockedError: other sessions held it up longer than `wait_s`.
        PreflightError: the name belongs to something else.
    """
    _drop_leftovers(run, name, key)
    state = index_state(run.worker, name, key)
    if state.kind == "absent":
        return False
    if state.kind == "other":
        raise PreflightError(f"{name} is not the index that Vaccine built; it was left alone", why=state.description,
                             fix="see what it is; drop it yourself if it is not needed, then run again")  # fmt: skip
    _watched(run, sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(key.schema, name)), name, key)
    return True


def _repair(name: str, key: Key) -> sql.Composed:
    return sql.SQL("REINDEX INDEX CONCURRENTLY {}").format(sql.Identifier(key.schema, name))


def _drop_leftovers(run: Run, name: str, key: Key) -> None:
    """Drop what a failed REINDEX CONCURRENTLY leaves: NAME_ccnew, NAME_ccnew1, … (manual, REINDEX)."""
    pattern = (
        "^"
        + "".join(f"\\{each}" if not each.isalnum() and each != "_" else each for each in name[:56])
        + ".*_cc(new|old)[0-9]*$"
    )
    rows = run.worker.execute(
        sql.SQL(_LEFTOVERS).format(table=_regclass(run.worker, key), pattern=sql.Literal(pattern))
    ).fetchall()
    for (leftover,) in rows:
        statement = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(key.schema, leftover))
        _watched(run, statement, leftover, key)


def _watched(run: Run, statement: sql.Composed, name: str, key: Key) -> None:
    """Run one CONCURRENTLY statement on a connection of its own, watched from the worker's, within its budgets."""
    failure: list[BaseException] = []
    with run.connect() as builder:
        if builder.info.server_version >= 140000:
            builder.execute("SET client_connection_check_interval = '2s'")
        pid = builder.info.backend_pid

        def work() -> None:
            try:
                builder.execute(statement)
            except BaseException as error:  # noqa: BLE001  it is raised again in the run's own thread
                failure.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            over = _watch(run, thread, pid, name, key)
        except BaseException:
            builder.cancel_safe()
            thread.join()
            raise
        if over:
            builder.cancel_safe()
            thread.join()
            if failure:
                raise _given_up(run, name, key, over)
    if failure:
        raise failure[0]


def _watch(run: Run, thread: threading.Thread, pid: int, name: str, key: Key) -> str:
    """Wait for the thread; returns why to give up, or the empty string."""
    began = said = last = time.monotonic()
    waited = 0.0
    while True:
        thread.join(POLL_S)
        if not thread.is_alive():
            return ""
        now = time.monotonic()
        row = run.worker.execute(sql.SQL(_PROGRESS).format(pid=sql.Literal(pid))).fetchone()
        waiting = row is None or row[0].startswith("waiting")
        waited += now - last if waiting else 0.0
        last = now
        if now - said >= SAY_EVERY_S:
            said = now
            run.say(_progress(run, name, key, row, now - began))
        if waiting and waited > run.options.wait_s:
            return named(who_would_block(run.worker, key)) or "another session"
        if run.options.build_s and now - began - waited > run.options.build_s:
            return f"its own work, longer than vaccine.build_s = {run.options.build_s}"


def _progress(run: Run, name: str, key: Key, row: tuple[Any, ...] | None, elapsed: float) -> str:
    if row is None or str(row[0]).startswith("waiting"):
        blockers = named(who_would_block(run.worker, key)) or "other sessions"
        return f"{name}: {row[0] if row else 'waiting'}, {elapsed:.0f} s so far; held up by {blockers}"
    done, total = int(str(row[1] or 0)), int(str(row[2] or 0))
    percent = f" {100 * done // total}%" if total else ""
    return f"{name}: {row[0]}{percent}, {elapsed:.0f} s so far"


def _given_up(run: Run, name: str, key: Key, held_by: str) -> BlockedError:
    """Clean up after a cancelled build where nobody is in the way, and say what was in the way."""
    left = ""
    if index_state(run.worker, name, key).kind in {"invalid_not_ready", "invalid_ready"}:
        try:
            with run.connect() as connection:
                connection.execute("SET lock_timeout = '2s'")
                connection.execute(
                    sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(key.schema, name))
                )
        except psycopg.Error:
            left = (
                "; it stays as an INVALID index until the next run, since the same session keeps it from being dropped"
            )
    return BlockedError(
        f"{name} was not finished: its budget of waiting ran out, and it was cancelled{left}",
        why=f"held up by {held_by}",
        fix="end that session or let it end, then run the same command again; -x vaccine.wait_s=… waits longer",
    )


def _wait_for_builder(run: Run, name: str, key: Key) -> None:
    """Wait for another backend that builds the index: a run whose client died goes on in the server."""
    until = time.monotonic() + run.options.wait_s
    run.say(f"{name} is being built by another session: waiting for it")
    while (state := index_state(run.worker, name, key)).kind == "building":
        if time.monotonic() > until:
            raise BlockedError(
                f"{name} is being built by pid {state.pid}; this run changed nothing",
                why=f"it did not end within vaccine.wait_s = {run.options.wait_s} s",
                fix=f"wait for it, or end it with SELECT pg_terminate_backend({state.pid}), then run again",
            )
        time.sleep(POLL_S)


def _facts(connection: psycopg.Connection, oid: int, key: Key) -> tuple[Any, ...] | None:
    same_table = sql.SQL("x.indrelid = {}::pg_catalog.regclass").format(_regclass(connection, key))
    return connection.execute(sql.SQL(_FACTS).format(same_table=same_table, index=sql.Literal(oid))).fetchone()


def _wanted(connection: psycopg.Connection, key: Key) -> tuple[Any, ...]:
    """The facts of the index as it must be, in PostgreSQL's own spelling: built on an empty copy of the table."""
    with connection.transaction(force_rollback=True):
        connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT * FROM {} WITH NO DATA").format(
                sql.Identifier(key.table), key.relation
            )
        )
        copy = Key("pg_temp", key.table, key.columns, key.where)
        connection.execute(index_statement("vaccine_wanted", copy, concurrently=False))
        mine = sql.SQL("'pg_temp.vaccine_wanted'::pg_catalog.regclass")
        row = connection.execute(sql.SQL(_FACTS).format(same_table=sql.SQL("TRUE"), index=mine)).fetchone()
    assert row is not None
    return tuple(row[3:8])


def _regclass(connection: psycopg.Connection, key: Key) -> sql.Composable:
    return sql.Literal(key.relation.as_string(connection))
