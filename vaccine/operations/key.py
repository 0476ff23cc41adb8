"""The key and the policy of one vaccination, as a revision spells them out, and the SQL they stand for.

Names are composed with psycopg.sql. `where`, `survivor` and {"sql": …} values are SQL texts that the
DBA approved in the plan and reads in the revision: they enter statements as they stand.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

Value = str | int | float | bool | None | Mapping[str, str]
# The rows that a plan approved: its duplicate groups, each the survivor's primary key and then those of its excess
# rows, all as text; or, where they are many, their marks (`rows.find`), sorted, in base64.
Approved = tuple[tuple[tuple[str, ...], ...], ...] | str


@dataclass(frozen=True)
class Key:
    """One logical key: the live rows of a table that may not share the values of `columns`.

    `where` is the whole predicate of the partial index (`status = 'open' AND code IS NOT NULL`),
    or None when every row is live.
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    where: str | None

    @property
    def relation(self) -> sql.Identifier:
        """The schema-qualified table."""
        return sql.Identifier(self.schema, self.table)

    @property
    def live(self) -> sql.Composable:
        """The predicate in parentheses, with column names unqualified; TRUE when every row is live.

        Only for statements where the table is the sole relation in scope.
        """
        return raw(f"({self.where}\n)") if self.where else sql.SQL("TRUE")

    @property
    def column_list(self) -> sql.Composable:
        """The key's columns, comma-separated."""
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))

    def __str__(self) -> str:
        return f"{self.schema}.{self.table} ({', '.join(self.columns)})"


@dataclass(frozen=True)
class Policy:
    """What a plan approved: who survives, how a row is retired, and how many rows at most.

    `survivor` is an ORDER BY, the row to keep first. `assign` gives each column a plain value, or
    {"sql": "now()"}. `keep` holds primary keys (as text, one tuple a row) that survive whatever the
    order says. `max_rows` bounds the excess rows that may be resolved, late arrivals included; `rows` are
    those very rows, and None approves by number alone.
    """

    survivor: tuple[str, ...]
    assign: Mapping[str, Value]
    keep: tuple[tuple[str, ...], ...]
    max_rows: int
    plan: str
    rows: Approved | None = None


def raw(text: str) -> sql.SQL:
    """An approved SQL text as it stands. Never .format() the result: a brace in it is not a placeholder."""
    return sql.SQL(text)


def value(of: Value) -> sql.Composable:
    """The right side of one assignment: a literal, or the SQL of {"sql": …}, whose last comment ends with its line."""
    if isinstance(of, Mapping):
        return raw(f"{of['sql']}\n")
    return sql.Literal(of)


def names(columns: Sequence[str], alias: str | None = None) -> sql.Composable:
    """TableColumn names, comma-separated, each behind `alias` where one is given."""
    qualified = (sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in columns)
    return sql.SQL(", ").join(qualified)


def literals(values: Sequence[object]) -> sql.Composable:
    """Literals, comma-separated. Names may hold a percent sign, so statements with names take no parameters."""
    return sql.SQL(", ").join(map(sql.Literal, values))


_count = itertools.count(1)


def prepared_name(of: str) -> sql.Identifier:
    """A new name for a prepared statement: an earlier one of the session may still stand, over tables that are gone."""
    return sql.Identifier(f"{of}_{next(_count)}")
