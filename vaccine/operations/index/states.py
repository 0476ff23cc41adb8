"""What stands under an index's name, judged by its definition and its flags, never by the name alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ..key import Key, raw
from ..table import RELATION, table_oid

NAME_BYTES = 63


@dataclass(frozen=True)
class IndexState:
    """`kind`: absent, valid, invalid_not_ready, invalid_ready, building, or other.

    invalid_not_ready enforces nothing; invalid_ready refuses new duplicates already, but no plan uses it.
    `description` says what an `other` is; `pid` is the backend that is building.
    """

    kind: str
    description: str = ""
    pid: int | None = None


# Two indexes with the same of these say the same; of the pg_index row `x`, its name `i` and its method `m`.
MEANING = """x.indisunique, x.indimmediate, m.amname::text,
       ARRAY(SELECT pg_catalog.pg_get_indexdef(x.indexrelid, place, true)
               FROM pg_catalog.generate_series(1, x.indnatts) AS place ORDER BY place),
       x.indcollation::text, x.indclass::text, x.indnatts = x.indnkeyatts,
       pg_catalog.to_jsonb(x) ->> 'indnullsnotdistinct' = 'true',
       pg_catalog.pg_get_expr(x.indpred, x.indrelid)"""
OF_INDEX = """
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = i.relam
 WHERE x.indexrelid = {index}
"""
_FACTS = f"""
SELECT x.indisvalid, x.indisready AND x.indislive, x.indrelid::bigint, pg_catalog.pg_get_indexdef(x.indexrelid),
       {MEANING}{OF_INDEX}"""
_MEANING = 4  # the facts from here on are the definition

# A REINDEX CONCURRENTLY reports the oid of the copy that it builds, and holds a session's lock on the index itself,
# as on the copy: by that it is told from one of another index. To a role without pg_read_all_stats the report says
# nothing but the pid; then a lock on the table, which any build would wait for, is all that can be known.
_BUILDER = """
SELECT p.pid
  FROM pg_catalog.pg_stat_progress_create_index AS p
 WHERE p.pid <> pg_catalog.pg_backend_pid()
   AND (p.index_relid = %(index)s
        OR EXISTS (SELECT FROM pg_catalog.pg_locks AS l
                    WHERE l.pid = p.pid AND l.locktype = 'relation' AND l.granted
                      AND l.mode = 'ShareUpdateExclusiveLock'
                      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                                         WHERE d.datname = pg_catalog.current_database())
                      AND (l.relation = %(index)s OR p.index_relid IS NULL AND l.relation = %(table)s)))
"""

_INVALID = """
SELECT i.relname::text, i.oid::bigint
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
 WHERE x.indrelid = %s AND NOT x.indisvalid AND i.relname ~ '_cc(new|old)[0-9]*$'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index b WHERE b.index_relid = i.oid)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l
                    WHERE l.locktype = 'relation' AND l.relation = i.oid AND l.granted
                      AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
                      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                                         WHERE d.datname = pg_catalog.current_database()))
 ORDER BY i.relname
"""


def index_statement(name: str, key: Key, *, concurrently: bool = True, unique: bool = True) -> sql.Composed:
    """The CREATE UNIQUE INDEX of a key; with `unique` off, of a plain index on the same rows."""
    words = sql.SQL("{}INDEX {}").format(
        sql.SQL("UNIQUE " if unique else ""), sql.SQL("CONCURRENTLY " if concurrently else "")
    )
    statement = sql.SQL("CREATE {}{} ON {} ({})").format(words, sql.Identifier(name), key.relation, key.column_list)
    return statement + raw(f" WHERE {key.where}") if key.where else statement


def index_state(connection: psycopg.Connection, name: str, key: Key) -> IndexState:
    """What stands under the name now. `connection` is autocommit, of a role that may make temporary tables."""
    found = connection.execute(RELATION, (key.schema, name)).fetchone()
    if found is None:
        return IndexState("absent")
    oid, kind = found
    if kind != "i":
        return IndexState("other", f"a relation that is no index (relkind {kind})")
    facts = _facts(connection, oid)
    return _judged(connection, oid, facts, key) if facts else IndexState("absent")  # dropped since


def _judged(connection: psycopg.Connection, oid: int, facts: tuple[Any, ...], key: Key) -> IndexState:
    valid, ready, table, definition = facts[:_MEANING]
    if table != table_oid(connection, key) or facts[_MEANING:] != _wanted(connection, key):
        return IndexState("other", definition)
    if valid:
        return IndexState("valid", definition)
    builder = connection.execute(_BUILDER, {"index": oid, "table": table}).fetchone()
    if builder is not None:
        return IndexState("building", definition, builder[0])
    return IndexState("invalid_ready" if ready else "invalid_not_ready", definition)


def same_meaning(connection: psycopg.Connection, key: Key) -> tuple[str, ...]:
    """The valid unique indexes of the table that have the very key and predicate, under whatever name."""
    rows = connection.execute(
        "SELECT i.relname::text, i.oid::bigint FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i"
        " ON i.oid = x.indexrelid WHERE x.indrelid = %s AND x.indisvalid AND x.indisunique ORDER BY i.relname",
        (table_oid(connection, key),),
    ).fetchall()
    wanted = _wanted(connection, key) if rows else ()
    return tuple(name for name, oid in rows if (facts := _facts(connection, oid)) and facts[_MEANING:] == wanted)


def leftovers(connection: psycopg.Connection, name: str, key: Key) -> tuple[str, ...]:
    """The INVALID NAME_ccnew, NAME_ccold, NAME_ccnew1 … of a REINDEX CONCURRENTLY that ended early (manual, REINDEX).

    Only those with the key's definition, that no backend is building.
    """
    rows = connection.execute(_INVALID, (table_oid(connection, key),)).fetchall()
    ours = [(leftover, oid) for leftover, oid in rows if is_leftover_of(leftover, name)]
    wanted = _wanted(connection, key) if ours else ()
    return tuple(
        leftover for leftover, oid in ours if (facts := _facts(connection, oid)) and facts[_MEANING:] == wanted
    )


def is_leftover_of(leftover: str, name: str) -> bool:
    """Whether PostgreSQL would call the copy of index `name` so: the name, cut to leave room for the suffix."""
    match = re.fullmatch(r"(.*)(_cc(?:new|old)[0-9]*)", leftover, re.DOTALL)
    if match is None:
        return False
    base, suffix = match.groups()
    room = NAME_BYTES - len(suffix.encode())
    return bool(base == name.encode()[:room].decode(errors="ignore"))


def try_out(connection: psycopg.Connection, key: Key) -> None:
    """Make the index on an empty copy of the table, and take it back.

    Raises:
        psycopg.ProgrammingError, psycopg.NotSupportedError: no such index can be made, for the reason that it says.
    """
    _wanted(connection, key)


def _facts(connection: psycopg.Connection, oid: int) -> tuple[Any, ...] | None:
    return connection.execute(sql.SQL(_FACTS).format(index=sql.Literal(oid))).fetchone()


def _wanted(connection: psycopg.Connection, key: Key) -> tuple[Any, ...]:
    """The definition as it must be, in PostgreSQL's own spelling: of an index on an empty copy of the table."""
    with connection.transaction(force_rollback=True):
        copy = empty_copy(connection, key)
        connection.execute(index_statement(wanted(key), copy, concurrently=False))
        row = connection.execute(sql.SQL(_FACTS).format(index=wanted_oid(key))).fetchone()
    assert row is not None
    return tuple(row[_MEANING:])


def wanted(key: Key) -> str:
    """The name of an index on an empty copy: another than the copy's, which has the table's."""
    return "vaccine_wanted" if key.table != "vaccine_wanted" else "vaccine_wanted_"


def wanted_oid(key: Key) -> sql.Composable:
    """SQL for the oid of that index."""
    return sql.SQL("'pg_temp.{}'::pg_catalog.regclass").format(sql.SQL(wanted(key)))


def empty_copy(connection: psycopg.Connection, key: Key) -> Key:
    """The key on a temporary table with the same columns and nothing else; the caller's transaction rolls it back.

    AS SELECT, not LIKE: LIKE copies NOT NULL, with which PostgreSQL 18 simplifies a predicate. A temporary table of
    ours that is in the way, when the user's has the same name, is there again after the rollback.
    """
    statement, copy = empty_copy_statement(key)
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(copy.relation))
    connection.execute(statement)
    return copy


def empty_copy_statement(key: Key) -> tuple[sql.Composed, Key]:
    """The statement that makes that table, and the key on it."""
    statement = sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT * FROM {} WITH NO DATA")
    copy = Key("pg_temp", key.table, key.columns, key.where)
    return statement.format(sql.Identifier(key.table), key.relation), copy
