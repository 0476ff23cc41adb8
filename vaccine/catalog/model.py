"""The structure of a database as frozen data: what reflection read, with no connection behind it.

Names are as in the catalog, unquoted. Predicates and expressions are the text that PostgreSQL
itself prints (`pg_get_expr`, `pg_get_indexdef`). Sizes are in bytes, row counts are the planner's
estimates unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, dropped columns left out."""

    name: str
    number: int
    type: str  # format_type(), such as "character varying(255)"
    not_null: bool = False
    default: str | None = None
    generated: str = ""  # "" no, "s" stored, "v" virtual (18)
    identity: str = ""  # "" no, "a" always, "d" by default
    enum_labels: tuple[str, ...] = ()
    category: str = ""  # pg_type.typcategory of the base type: S text, N number, B boolean, D date/time, U …
    comment: str | None = None
    null_fraction: float | None = None  # pg_stats.null_frac, where the role may see it
    n_distinct: float | None = None  # pg_stats.n_distinct: below 0 a share of the rows
    common_fraction: float | None = None  # pg_stats.most_common_freqs: of the commonest value


@dataclass(frozen=True, slots=True)
class Index:
    """One index. `columns` holds the key columns in order; None stands for an expression."""

    name: str
    columns: tuple[str | None, ...]
    definition: str = ""  # CREATE INDEX; reflection leaves it out, it is dear to print
    unique: bool = False
    primary: bool = False
    valid: bool = True
    ready: bool = True
    predicate: str | None = None
    expressions: tuple[str, ...] = ()  # one for each None of `columns`, in order
    expression_columns: tuple[str, ...] = ()  # columns that the expressions read
    include: tuple[str, ...] = ()
    method: str = "btree"
    nulls_not_distinct: bool = False
    constraint: str = ""  # pg_constraint.contype: "p", "u", "x", or "" for a bare index
    immediate: bool = True  # False: a deferrable constraint
    exclusion_operators: tuple[str, ...] = ()
    scans: int | None = None
    bytes: int = 0
    partial_columns: tuple[str, ...] = ()  # columns that the predicate reads
    finer_collation: bool = False  # it tells apart what a column's nondeterministic collation takes for equal


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One foreign key; `columns` and `ref_columns` pair up."""

    name: str
    columns: tuple[str, ...]
    ref_schema: str
    ref_table: str
    ref_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckConstraint:
    """One CHECK constraint, by its text."""

    name: str
    expression: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table with all that hangs on it."""

    schema: str
    name: str
    oid: int = 0
    kind: str = "r"  # relkind: "r" ordinary, "p" partitioned
    columns: tuple[Column, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[CheckConstraint, ...] = ()
    rows_estimate: float | None = None  # reltuples; None when never analysed
    bytes: int = 0
    inserts: int | None = None  # pg_stat_user_tables.n_tup_ins since the statistics were reset
    partition_of: tuple[str, str] | None = None  # (schema, table) of the parent
    inherits: bool = False
    row_security: bool = False  # RLS on, and it applies to this role
    selectable: bool = True  # the role may SELECT from it
    comment: str | None = None

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        """The primary key's columns in order; empty where there is none."""
        for index in self.indexes:
            if index.primary:
                return tuple(name for name in index.columns if name is not None)
        return ()


@dataclass(frozen=True)
class Catalog:
    """All tables that an audit looks at, and what it needs to know of the server."""

    server_version: str  # "15.18"
    server_version_num: int  # 150018
    database: str
    tables: tuple[Table, ...] = ()
    in_recovery: bool = False
    functions: tuple[CatalogFunction, ...] = ()
    extensions: tuple[str, ...] = ()
    stats_reset_at: str | None = None
    skipped: tuple[tuple[str, int], ...] = field(default=())  # (why, how many tables) left out by default
    flows: tuple[Flow, ...] = ()
    choices: tuple[FieldChoices, ...] = ()
    activity: tuple[str, str] | None = None  # (schema, name) of directus_activity, where the role may read it
    foreign: Mapping[tuple[str, str], str] = field(default_factory=dict)  # code of other roles: (schema, name) → owner
    statements: tuple[str, str] | None = None  # (schema, name) of the view pg_stat_statements

    @cached_property
    def by_name(self) -> dict[tuple[str, str], Table]:
        """The tables by (schema, name)."""
        return {(table.schema, table.name): table for table in self.tables}

    @cached_property
    def places(self) -> dict[str, list[tuple[str, str]]]:
        """The (schema, name) of every table, by its bare name."""
        found: dict[str, list[tuple[str, str]]] = {}
        for table in self.tables:
            found.setdefault(table.name, []).append((table.schema, table.name))
        return found

    @cached_property
    def partitions(self) -> dict[tuple[str, str], list[Table]]:
        """The direct partitions of each partitioned table, by its (schema, name)."""
        found: dict[tuple[str, str], list[Table]] = {}
        for table in self.tables:
            if table.partition_of is not None:
                found.setdefault(table.partition_of, []).append(table)
        return found

    def rows_estimate(self, table: Table) -> float | None:
        """The planner's estimate of a table's rows, its partitions together; None when nothing is known."""
        parts = self.partitions.get((table.schema, table.name))
        if not parts:
            return table.rows_estimate
        known = [self.rows_estimate(part) for part in parts]
        return sum(rows for rows in known if rows is not None) if any(rows is not None for rows in known) else None

    @cached_property
    def unique_by_columns(self) -> dict[frozenset[str | None], list[tuple[Table, Index]]]:
        """The valid unique indexes other than primary keys, partitions left out, by their key columns."""
        found: dict[frozenset[str | None], list[tuple[Table, Index]]] = {}
        for table in self.tables:
            for index in table.indexes:
                if index.unique and index.valid and not index.primary and table.partition_of is None:
                    found.setdefault(frozenset(index.columns), []).append((table, index))
        return found

    @cached_property
    def unique_in_schema(self) -> dict[tuple[str, frozenset[str | None]], list[tuple[Table, Index]]]:
        """The same by the tables' schema too."""
        found: dict[tuple[str, frozenset[str | None]], list[tuple[Table, Index]]] = {}
        for columns, pairs in self.unique_by_columns.items():
            for pair in pairs:
                found.setdefault((pair[0].schema, columns), []).append(pair)
        return found


@dataclass(frozen=True, slots=True)
class CatalogFunction:
    """One function or procedure whose body may write a table."""

    schema: str
    name: str
    language: str
    body: str
    trigger: bool = False  # returns trigger


@dataclass(frozen=True, slots=True)
class SeenStatement:
    """One statement as pg_stat_statements keeps it: its text, constants as $1, and how often it ran."""

    text: str
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Flow:
    """One active Directus flow with an operation that creates items of a collection."""

    table: str
    name: str
    operation: str  # directus_operations.type: "item-create", or "request" when only its URL names the table


@dataclass(frozen=True, slots=True)
class FieldChoices:
    """The values that an application offers for a column (directus_fields.options.choices)."""

    table: str
    column: str
    values: tuple[str, ...]
