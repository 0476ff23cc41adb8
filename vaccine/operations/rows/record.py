"""The record of an upgrade: that it ran, for which version table, and how many rows its batches resolved.

One row in `vaccine.vaccination` for each version table, revision, plan and key, also where nothing was resolved.
A batch counts its rows here in its own transaction, so that the downgrade can tell "nothing was resolved" from "the
journal is gone". The statements hold literals only: a script carries the very same ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from ..key import Key, Value, literals
from ..session.run import Run

RECORD = """
CREATE TABLE vaccine.vaccination (
    version_table text NOT NULL,
    revision text NOT NULL,
    plan text NOT NULL,
    key_digest text NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    key_columns text[] NOT NULL,
    predicate text,
    index_name text,
    index_oid oid,
    assign jsonb,
    after_batch bigint NOT NULL,
    resolved_rows bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    undone_at timestamptz,
    PRIMARY KEY (version_table, revision, plan, key_digest)
);
COMMENT ON TABLE vaccine.vaccination IS
    'One row for each upgrade, also where it resolved nothing. The batches of the journal with a number above '
    'after_batch hold its resolved_rows; assign is what retires a row; ended_at is set once its index stood, '
    'undone_at once it was downgraded.';
"""


def key_digest(key: Key) -> str:
    """The key's names and predicate in a few bytes: together they may be too long for a primary key."""
    text = json.dumps([key.schema, key.table, list(key.columns), key.where or None])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def record_of(run: Run, key: Key, plan: str) -> UpgradeRecord:
    """The record of a run's revision."""
    return UpgradeRecord(sql.Literal(run.version_table), run.revision, plan, key)


@dataclass(frozen=True)
class UpgradeRecord:
    """The statements that keep one record. `version_table` is SQL: a literal, or that of `session.caller`."""

    version_table: sql.Composable
    revision: str
    plan: str
    key: Key

    def begin(self, index: str | None, assign: Mapping[str, Value] | None = None) -> sql.Composed:
        """An upgrade begins, or goes on; after a downgrade it begins anew."""
        key, assigned = self.key, None if assign is None else json.dumps(dict(assign))
        values = [self.revision, self.plan, key_digest(key), key.schema, key.table, list(key.columns), key.where, index]
        values.append(assigned)
        return sql.SQL(
            "INSERT INTO vaccine.vaccination AS v (version_table, revision, plan, key_digest, schema_name, table_name,"
            " key_columns, predicate, index_name, assign, after_batch, started_at)"
            " SELECT {version_table}, {values}, coalesce(pg_catalog.max(j.batch), 0), pg_catalog.now()"
            " FROM vaccine.journal AS j"
            " ON CONFLICT (version_table, revision, plan, key_digest) DO UPDATE SET"
            " index_name = coalesce(excluded.index_name, v.index_name), assign = coalesce(excluded.assign, v.assign),"
            " ended_at = NULL, undone_at = NULL,"
            " after_batch = CASE WHEN v.undone_at IS NULL THEN v.after_batch ELSE excluded.after_batch END,"
            " resolved_rows = CASE WHEN v.undone_at IS NULL THEN v.resolved_rows ELSE 0 END,"
            " started_at = CASE WHEN v.undone_at IS NULL THEN v.started_at ELSE excluded.started_at END"
        ).format(version_table=self.version_table, values=literals(values))

    def count(self, rows: sql.Composable) -> sql.Composed:
        """A batch resolved so many rows; in its transaction."""
        return self._set(sql.SQL("resolved_rows = v.resolved_rows + {}").format(rows))

    def end(self) -> sql.Composed:
        """The upgrade is done, and its index stands. By its oid it is known again under another name."""
        return self._set(
            sql.SQL(
                "ended_at = pg_catalog.clock_timestamp(), index_oid ="
                " pg_catalog.to_regclass(pg_catalog.format('%I.%I', v.schema_name, v.index_name))"
            )
        )

    def undo(self) -> sql.Composed:
        """The downgrade is done: all rows are accounted for."""
        return self._set(sql.SQL("undone_at = pg_catalog.clock_timestamp()"))

    def _set(self, what: sql.Composable) -> sql.Composed:
        return sql.SQL(
            "UPDATE vaccine.vaccination AS v SET {what} WHERE v.version_table = {version_table}"
            " AND (v.revision, v.plan, v.key_digest) = ({values})"
        ).format(
            what=what,
            version_table=self.version_table,
            values=literals([self.revision, self.plan, key_digest(self.key)]),
        )
