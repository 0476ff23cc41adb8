"""The revision whose upgrade() or downgrade() called."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alembic.util import CommandError
from psycopg import sql

from .command import undo_target

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

# The schema of the version table is looked up: Alembic finds a plain name by search_path, as to_regclass does.
VERSION_TABLE = """(SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.oid = pg_catalog.to_regclass({}))"""


def version_table(schema: str | None, name: str) -> sql.Composed:
    """SQL for the version table as the record spells it, `schema.table`; NULL where there is none."""
    relation = sql.Identifier(schema, name) if schema else sql.Identifier(name)
    return sql.SQL(VERSION_TABLE).format(sql.Literal(relation.as_string(None)))


@dataclass(frozen=True)
class Caller:
    """The revision that runs, the one below it (None at the base), and its function: `upgrade` or `downgrade`."""

    revision: str
    below: str | None
    function: str

    @property
    def undo(self) -> str:
        """What `alembic downgrade` takes to undo the revision, once it is stamped."""
        return undo_target(self.revision, self.below)

    def give_up(self, alembic: str) -> str:
        """What undoes half an upgrade. The revision is not stamped yet: `downgrade -1` would undo the one below."""
        return f"{alembic} stamp {self.revision} && {alembic} downgrade {self.undo}"


def calling_revision() -> str:
    """The id of the revision whose upgrade() or downgrade() runs."""
    return calling().revision


def calling() -> Caller:
    """The revision and its function that called; each `unknown` when it was no revision."""
    frame = inspect.currentframe()
    while frame is not None:
        if "down_revision" in frame.f_globals and isinstance(frame.f_globals.get("revision"), str):
            below = frame.f_globals["down_revision"]
            if isinstance(below, tuple | list):  # a merge: either branch is where it came from
                below = below[0] if below else None
            return Caller(str(frame.f_globals["revision"]), below, frame.f_code.co_name)
        frame = frame.f_back
    return Caller("unknown", None, "unknown")


def standing_on(context: MigrationContext, revision: str) -> list[str]:
    """The revisions that stand on one, by the environment's own graph."""
    if context.script is None:
        return []
    try:
        return [each.revision for each in context.script.walk_revisions(revision, "heads") if each.revision != revision]
    except CommandError:  # it is none of the environment's
        return []
