"""The dry face of the run time: what it would send and what it would ask, by the very code that does.

The only module of the run time that the analysis may import.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from .checks.disk import need, read_space
from .checks.dry_run import ask_dry as ask
from .checks.dry_run import untried
from .checks.every import CODES
from .checks.model import Reason
from .index.build import index_statement
from .key import Approved, Key, Policy, Value, value
from .options import Options
from .rows.find import FEW, TEXT_FORM, Others, Work, excess_rows, find_statement, mark, other_rows_statement, text_array
from .rows.journal import META, Images, NewImages
from .rows.resolve import Resolved, Resolver
from .rows.resolve_batch import images_per_row, shared_columns
from .rows.restore_batch import RestoreParts, locking
from .rows.shape import read_shape, row_lock
from .session.blockers import holders_of
from .session.command import alembic_command, undo_target
from .session.run import Run
from .table import TargetTable, read_table
from .undo import UndoReport, Unrestorable, undo_reports

__all__ = [
    "CODES",
    "FEW",
    "TEXT_FORM",
    "Approved",
    "Described",
    "Key",
    "NewImages",
    "Others",
    "Policy",
    "Reason",
    "TargetTable",
    "UndoReport",
    "Unrestorable",
    "Value",
    "Work",
    "alembic_command",
    "ask",
    "build_statement",
    "dedupe_statements",
    "drop_statement",
    "excess_rows",
    "holders_of",
    "journal_images",
    "mark",
    "need",
    "other_rows_statement",
    "read_space",
    "read_table",
    "restore_statement",
    "text_array",
    "undo_reports",
    "undo_target",
    "untried",
    "value",
]


@dataclass(frozen=True)
class Described:
    """One statement: what it is for, and its SQL, ready to read."""

    purpose: str
    sql: str


def dedupe_statements(connection: psycopg.Connection, key: Key, policy: Policy, rows: int) -> tuple[Described, ...]:
    """Finding the groups, then one batch; `rows` is the number of excess rows. Reads the catalog only.

    The image table's number is not known before the run, and stands as images_1; all rows stand as one batch.
    """
    table = read_table(connection, key)
    assert table is not None
    work = Work(table, key, policy, rows, 0)
    images = Images("images_1", (table.free(META[0]), table.free(META[1]), table.free(META[2])), table)
    resolver = Resolver(_dry(connection), work, images, Resolved())
    found = [Described("find the duplicate groups, once", find_statement(work).as_string(connection))]
    found += [Described(purpose, statement.as_string(connection)) for purpose, statement in resolver.statements(rows)]
    return tuple(found)


def restore_statement(connection: psycopg.Connection, key: Key, policy: Policy, rows: int) -> Described:
    """Putting the old values of one batch back."""
    table = read_table(connection, key)
    assert table is not None
    images = Images("images_1", (table.free(META[0]), table.free(META[1]), table.free(META[2])), table)
    columns, shape = tuple(policy.assign), read_shape(connection, table)
    shared, lock = shared_columns(table, policy.assign, shape), row_lock(connection, table, columns)
    after, last = sql.Literal(0), sql.Literal(rows)
    parts = RestoreParts(images, columns, sql.Literal(1), shared, at=bool(shared), guarded=True)
    if shape.meddles:
        statement = parts.watched(parts.between(after, last), columns, locking(lock, skip=True))
        return Described(
            "put the old values back, and compare each row with its image", statement.as_string(connection)
        )
    return Described("put the old values back", parts.plain(after, last, lock).as_string(connection))


def journal_images(connection: psycopg.Connection, key: Key, assign: Mapping[str, Value]) -> int:
    """How many images of a resolved row the journal takes."""
    table = read_table(connection, key)
    assert table is not None
    return images_per_row(connection, table, assign)


def build_statement(connection: psycopg.Connection, name: str, key: Key) -> Described:
    """The index."""
    return Described("build the index", index_statement(name, key).as_string(connection))


def drop_statement(connection: psycopg.Connection, name: str, key: Key) -> Described:
    """The way back of the index."""
    statement = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(key.schema, name))
    return Described("drop the index", statement.as_string(connection))


def _dry(connection: psycopg.Connection) -> Run:
    return Run("", Options(), lambda: connection, connection)
