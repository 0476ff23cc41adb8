"""Undo only what is one's own: a vaccination belongs to the version table that was stamped for it.

A revision may run under several version tables (a tenant each, an application and its copy). Where its key names one
table for all, the second upgrade would find its work done and stamp, and its downgrade would take the first one's
index and rows away. And a revision that was stamped away must not lose what a later one stands on.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from ..errors import NotOursError, PreflightError
from ..key import Key
from ..rows.journal import has_record
from ..rows.record import key_digest
from ..session.caller import calling, standing_on
from ..session.command import alembic_again
from ..session.run import Run

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

# What a record says is so while it is not undone, and it did something. Names are looked up without any right on them.
STANDING = """v.undone_at IS NULL AND (v.ended_at IS NOT NULL OR v.resolved_rows > 0)"""
THERE = """EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE pg_catalog.format('%I.%I', n.nspname, c.relname) = v.version_table)"""

# A version table that was renamed or moved takes its records along.
ADOPT = """
UPDATE vaccine.vaccination AS v SET version_table = {mine}
 WHERE v.revision = {revision} AND v.key_digest = {key} AND v.version_table <> {mine} AND NOT {there}
   AND NOT EXISTS (SELECT FROM vaccine.vaccination AS o
                    WHERE o.version_table = {mine} AND (o.revision, o.key_digest) = (v.revision, v.key_digest))
"""

ELSEWHERE = """
SELECT pg_catalog.format('%s: revision %s did it under the version table %s, and this environment stamps %s',
                         {what}, v.revision, v.version_table, {mine}),
       pg_catalog.format('%s; or, where %s is but an old name of %s, run UPDATE vaccine.vaccination SET version_table '
                         '= %L WHERE version_table = %L AND revision = %L',
                         {way_out}, v.version_table, {mine}, {mine}, v.version_table, v.revision)
  FROM vaccine.vaccination AS v
 WHERE v.key_digest = {key} AND v.version_table <> {mine} AND {standing} AND {there}
   AND NOT EXISTS (SELECT FROM vaccine.vaccination AS v
                    WHERE v.version_table = {mine} AND (v.revision, v.key_digest) = ({revision}, {key}) AND {standing})
 ORDER BY v.started_at
 LIMIT 1
"""

LATER = """
SELECT pg_catalog.format('the later revision %s still holds %s.%s: index %s, %s rows resolved',
                         v.revision, v.schema_name, v.table_name, coalesce(v.index_name, 'none'), v.resolved_rows),
       pg_catalog.format({way_out}, v.revision)
  FROM vaccine.vaccination AS v
 WHERE v.version_table = {mine} AND (v.schema_name, v.table_name) = ({schema}, {table})
   AND v.revision = ANY ({later}::text[]) AND {standing}
 ORDER BY v.started_at DESC
 LIMIT 1
"""


# The stamp comes last: where it is refused, all the work is done before that is known.
UNSTAMPABLE = """
SELECT pg_catalog.format('this role lacks %s on the version table %s, which Alembic stamps at the end',
                         pg_catalog.string_agg(o.privilege, ', ' ORDER BY o.place), {mine}),
       pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I, then the same again',
                         {mine}, current_user)
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,
       (VALUES (1, 'INSERT'), (2, 'UPDATE'), (3, 'DELETE')) AS o (place, privilege)
 WHERE pg_catalog.format('%I.%I', n.nspname, c.relname) = {mine}
   AND NOT pg_catalog.has_table_privilege(c.oid, o.privilege)
HAVING pg_catalog.count(*) > 0
"""


@dataclass(frozen=True)
class Ownership:
    """What the questions are composed from. `mine` is SQL for the version table: a literal, or what looks it up.

    `later` are the revisions that stand on this one, `undo` what `alembic downgrade` takes to undo it, `alembic` the
    command with what chose the environment.
    """

    mine: sql.Composable
    revision: str
    key: Key
    later: Sequence[str] = ()
    undo: str = ""
    alembic: str = "alembic"

    def adopt(self) -> sql.Composed:
        """Take over the record of a version table that is gone."""
        return self._fill(ADOPT)

    def before_stamp(self) -> sql.Composed:
        """A query that returns why the version table cannot be written, and the way out."""
        return self._fill(UNSTAMPABLE)

    def before_upgrade(self) -> tuple[sql.Composed, ...]:
        """Queries that return why not, and the way out."""
        way_out = "write a revision for the tables of this environment with `vaccine plan` and `vaccine revision`"
        return (self._fill(ELSEWHERE, what="the key is vaccinated already", way_out=way_out),)

    def before_downgrade(self) -> tuple[sql.Composed, ...]:
        """Queries that return why not, and the way out."""
        away = f"`{self.alembic} stamp {self.undo}` takes the revision back here, and touches neither index nor rows"
        both = f"`{self.alembic} stamp %s && {self.alembic} downgrade {self.undo}` undoes both, the later one first"
        return (
            self._fill(ELSEWHERE, what="this environment did not vaccinate the key", way_out=away),
            self._fill(LATER, way_out=both.replace("%", "%%").replace("%%s", "%s", 1)),
        )

    def _fill(self, query: str, **texts: str) -> sql.Composed:
        return sql.SQL(query).format(
            mine=self.mine,
            revision=sql.Literal(self.revision),
            key=sql.Literal(key_digest(self.key)),
            schema=sql.Literal(self.key.schema),
            table=sql.Literal(self.key.table),
            later=sql.Literal(list(self.later)),
            standing=sql.SQL(STANDING),
            there=sql.SQL(THERE),
            **{name: sql.Literal(text) for name, text in texts.items()},
        )


def ownership_of(context: MigrationContext, mine: sql.Composable, key: Key) -> Ownership:
    """Of the revision whose function runs."""
    caller = calling()
    return Ownership(
        mine, caller.revision, key, standing_on(context, caller.revision), caller.undo, alembic_again(context)
    )


def refuse_foreign(run: Run, of: Ownership, *, up: bool) -> None:
    """See that the vaccination is this environment's, that nothing stands on it any more, and that it can be stamped.

    Raises:
        NotOursError: another version table vaccinated the key, or a later revision is not undone.
        PreflightError: the version table cannot be written.
    """
    refused = f"the {'upgrade' if up else 'downgrade'} of {of.key} by {of.revision} is refused; nothing was changed"
    if (found := run.worker.execute(of.before_stamp()).fetchone()) is not None:
        raise PreflightError(refused, why=found[0], fix=found[1])
    with suppress(psycopg.errors.InsufficientPrivilege):  # asked about next, in words
        if not has_record(run.worker):
            return
        writable = run.worker.execute("SELECT pg_catalog.current_setting('transaction_read_only') = 'off'").fetchone()
        if writable == (True,) and run.worker.execute(of.adopt()).rowcount:  # a standby is refused later, in words
            run.say(f"note: the version table of {of.revision} was renamed; its record goes on as {run.version_table}")
        for query in of.before_upgrade() if up else of.before_downgrade():
            if (found := run.worker.execute(query).fetchone()) is not None:
                raise NotOursError(refused, why=found[0], fix=found[1])
