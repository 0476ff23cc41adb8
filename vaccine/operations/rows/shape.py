"""What the statements of a batch hang on, asked again in each batch: others may alter the table while a run goes on.

A batch first locks the table as its UPDATE will, and then looks: what it sees holds until it commits, since CREATE
TRIGGER, CREATE RULE and ALTER TABLE need a lock that conflicts (manual, section 13.3.1). The lock is asked for
before any row is locked, under `lock_timeout`. Prepared statements follow an altered table by themselves; what they
were composed for may no longer hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ..errors import OperationError
from ..key import literals, prepared_name, raw
from ..session.transaction import last_row, leave_failed, message
from ..table import DIGEST, TargetTable

# 13 and 14 call the clone that a partition has of its parent's trigger internal; a foreign key's has a constraint.
OURS = "(NOT g.tgisinternal OR g.tgparentid <> 0 AND g.tgconstraint = 0)"

# Partitions may have triggers of their own: where there are some, any may fire, and late.
# A foreign key that leads back shows as a trigger of the referenced table: no index finds it in pg_constraint.
SHAPE = f"""
SELECT coalesce({DIGEST}, ''), t.fires OR c.relkind = 'p', t.late OR c.relkind = 'p', t.cascades,
       EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '2'), t.triggers
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       SELECT coalesce(bool_or({OURS} AND g.tgtype & 16 <> 0), FALSE),
              coalesce(bool_or({OURS} AND g.tgtype & 16 <> 0 AND g.tgtype & 2 = 0), FALSE),
              coalesce(bool_or(g.tgfoid IN ('pg_catalog."RI_FKey_cascade_upd"'::pg_catalog.regproc,
                                            'pg_catalog."RI_FKey_setnull_upd"'::pg_catalog.regproc,
                                            'pg_catalog."RI_FKey_setdefault_upd"'::pg_catalog.regproc)), FALSE),
              pg_catalog.count(*)
         FROM pg_catalog.pg_trigger g
        WHERE g.tgrelid = c.oid AND g.tgenabled <> 'D') AS t (fires, late, cascades, triggers)
 WHERE c.oid = %s AND n.nspname = %s AND c.relname = %s
"""  # noqa: S608  of texts of our own

# A BEFORE trigger may write to another table, and a deferred trigger there may come back.
DEFERRED = "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgdeferrable AND NOT tgisinternal)"

# An UPDATE of a column of such an index takes the lock that child rows' inserts conflict with (manual, section 13.3.2).
REFERABLE = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_index i
                CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) AS k (attnum)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                WHERE i.indrelid = %s AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
                  AND a.attname = ANY (%s))
"""


@dataclass(frozen=True)
class UpdateEffects:
    """What an UPDATE of the table sets off.

    Triggers: `fires` at all, `late` once RETURNING has seen the row; foreign keys that carry it on; rewrite rules.
    `triggers` counts all, those of foreign keys too: another number says that something came or went.
    """

    fires: bool
    late: bool
    cascades: bool
    rules: bool
    triggers: int = 0

    @property
    def meddles(self) -> bool:
        """Whether a row may end otherwise than it was set."""
        return self.fires or self.cascades or self.rules


@dataclass
class Watch:
    """Begins transactions with `settings` on one connection, and looks at a table in each; that is planned once."""

    connection: psycopg.Connection
    settings: sql.Composable
    table: TargetTable | None = None
    again: bytes = b""

    @contextmanager
    def transaction(self, table: TargetTable) -> Iterator[UpdateEffects]:
        """A transaction that locks the table as an UPDATE does, and looks at it again; committed behind the block.

        The connection is in autocommit mode, and idle. No pipeline in the block: until its Sync a server waits for
        the next message without a limit, locks in hand; idle_in_transaction_session_timeout counts behind a Sync only.

        Raises:
            OperationError: its columns or its primary key are others than when the run read them.
        """
        try:
            yield self.begin(table)
            self.connection.execute("COMMIT")
        except BaseException:
            leave_failed(self.connection)
            raise

    def begin(self, table: TargetTable) -> UpdateEffects:
        """The beginning of it, in one round trip."""
        if table is self.table:
            row = last_row(self.connection, self.again)
        else:
            row, self.again = self._first(table)
            self.table = table  # its question stands: the lock was to be had
        if row is None or row[0] != table.digest:
            raise OperationError(
                f"{table.schema}.{table.name} was altered while the run went on; "
                "what was committed before is journalled",
                why="its columns or its primary key are no longer those that the run read when it began",
                fix="run the same command again: it reads the table anew and goes on where this one ended",
            )
        return UpdateEffects(*row[1:])

    def _first(self, table: TargetTable) -> tuple[tuple[Any, ...] | None, bytes]:
        """The first look at a table, and the message for the next ones."""
        name = prepared_name("vaccine_shape")
        begin = sql.SQL("BEGIN"), self.settings, sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(table.source)
        prepare = sql.SQL("PREPARE {} (oid, name, name) AS {}").format(name, raw(SHAPE % ("$1", "$2", "$3")))
        look = sql.SQL("EXECUTE {} ({})").format(name, literals([table.oid, table.schema, table.name]))
        row = last_row(self.connection, message(self.connection, *begin, prepare, look))
        return row, message(self.connection, *begin, look)


def read_shape(connection: psycopg.Connection, table: TargetTable) -> UpdateEffects:
    """The shape of the table now, without a lock."""
    row = connection.execute(SHAPE, (table.oid, table.schema, table.name)).fetchone()
    return UpdateEffects(*row[1:]) if row else UpdateEffects(fires=False, late=False, cascades=False, rules=False)


def deferred_triggers(connection: psycopg.Connection) -> bool:
    """Whether any table of the database has a trigger that may fire as late as at the commit."""
    row = connection.execute(DEFERRED).fetchone()
    return bool(row and row[0])


def row_lock(connection: psycopg.Connection, table: TargetTable, columns: Sequence[str]) -> sql.SQL:
    """The lock that an UPDATE of these columns takes: what SKIP LOCKED passes by, the UPDATE never waits for."""
    row = connection.execute(REFERABLE, (table.oid, list(columns))).fetchone()
    return sql.SQL("FOR UPDATE" if row and row[0] else "FOR NO KEY UPDATE")
