"""The one table of a vaccination: shape, sizes and rights, read from the catalog in six queries."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import psycopg
from psycopg.rows import dict_row

from vaccine.catalog.nearest import way_out
from vaccine.catalog.sql import query
from vaccine.errors import PermissionDeniedError, UnknownKeyError


@dataclass(frozen=True)
class TargetColumn:
    """One column of the table; `average_width` in bytes, None where there are no statistics."""

    name: str
    type: str
    not_null: bool
    generated: str
    identity: str
    average_width: int | None
    primary_key_position: int | None


@dataclass(frozen=True)
class TargetIndex:
    """One index of the table; `reads` are the columns in its key, expressions and predicate."""

    name: str
    definition: str
    is_unique: bool
    is_valid: bool
    is_ready: bool
    reads: list[str]
    predicate: str | None


@dataclass(frozen=True)
class TargetTrigger:
    """One trigger that fires for the table's writers."""

    name: str
    definition: str
    enabled: str
    on_update: bool


@dataclass(frozen=True)
class Follower:
    """A foreign key of `source` that refers to the table; `on_update` is confupdtype (manual, section 52.13)."""

    name: str
    source: str
    on_update: str
    columns: list[str]


@dataclass(frozen=True)
class Target:
    """The table as it is now. Flags are those of pg_class (manual, section 52.11)."""

    schema: str
    table: str
    oid: int
    kind: str
    persistence: str
    table_bytes: int
    rows_estimate: float
    is_owner: bool
    may_create: bool
    may_select: bool
    may_create_schema: bool
    has_vaccine_schema: bool
    owner: str
    row_security: bool
    is_partition: bool
    has_children: bool
    replica_identity: str
    published: bool
    inbound_foreign_keys: int
    columns: tuple[TargetColumn, ...]
    indexes: tuple[TargetIndex, ...]
    triggers: tuple[TargetTrigger, ...]
    followers: tuple[Follower, ...]

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The primary key's columns in key order; empty where there is none."""
        members = [column for column in self.columns if column.primary_key_position is not None]
        return tuple(column.name for column in sorted(members, key=lambda column: column.primary_key_position or 0))

    @property
    def by_name(self) -> dict[str, TargetColumn]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    def shape(self) -> str:
        """A digest of columns, types, primary key, indexes and triggers: what a change of the table changes."""
        facts = {
            "kind": self.kind,
            "columns": [
                [c.name, c.type, c.not_null, c.generated, c.identity, c.primary_key_position] for c in self.columns
            ],
            "indexes": [[i.definition, i.is_valid] for i in self.indexes],
            "triggers": [asdict(trigger) for trigger in self.triggers],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def read_target(connection: psycopg.Connection, schema: str, table: str) -> Target:
    """Read the table's facts.

    Raises:
        UnknownKeyError: there is no ordinary or partitioned table of that name.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("plan_table"), {"schema": schema, "table": table}).fetchone()
        if row is None:
            raise UnknownKeyError(
                f"there is no table {schema}.{table}",
                why="names are compared exactly, upper and lower case too; views and foreign tables are no targets",
                fix=_meant(connection, schema, table),
            )
        oid = {"oid": row["oid"]}
        columns = tuple(TargetColumn(**each) for each in cursor.execute(query("plan_columns"), oid))
        indexes = tuple(TargetIndex(**each) for each in cursor.execute(query("plan_indexes"), oid))
        triggers = tuple(TargetTrigger(**each) for each in cursor.execute(query("plan_triggers"), oid))
        followers = tuple(Follower(**each) for each in cursor.execute(query("plan_followers"), oid))
    return Target(
        schema=schema, table=table, columns=columns, indexes=indexes, triggers=triggers, followers=followers, **row
    )


def tables(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Schema and name of every table, without those of PostgreSQL itself."""
    return connection.execute(
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')"
        " AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"
    ).fetchall()


def _meant(connection: psycopg.Connection, schema: str, table: str) -> str:
    found = tables(connection)
    within = [name for place, name in found if place == schema]
    otherwise = "see vaccine audit --all for the tables, and give SCHEMA.TABLE.COLUMN"
    if within:
        return way_out(table, within, otherwise)
    return way_out(f"{schema}.{table}", [f"{place}.{name}" for place, name in found], otherwise)


def refuse_unreadable(target: Target) -> None:
    """Refuse a table that the role may not read whole.

    Raises:
        PermissionDeniedError: without SELECT nothing can be counted; a policy hides rows, and runs its owner's code.
    """
    if target.row_security:
        raise PermissionDeniedError(
            f"row-level security hides rows of {target.schema}.{target.table} from this role",
            why="a plan of some of the rows is none of the table",
            fix=f"plan as {target.owner} or a role with BYPASSRLS",
        )
    if not target.may_select:
        raise PermissionDeniedError(
            f"this role may not read {target.schema}.{target.table}",
            why="without SELECT the duplicates cannot be counted",
            fix=f"GRANT SELECT on it, or plan as {target.owner}",
        )
