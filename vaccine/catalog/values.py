"""Values as text, and equality, without a cast or an operator that a stranger may have made.

`x::text` runs a function where the owner of x's type made a cast to text; the type's output function is PostgreSQL's
own, unless a superuser made the type. `=`, and with it USING, is looked up by its name: what a unique index asks is
the default operator class of the type (manual, section 11.10), whatever the search_path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psycopg import sql

from vaccine.catalog.sql import query

FIRST_OF_USERS = 16384  # FirstNormalObjectId: types below it came with PostgreSQL
_TEXT = sql.SQL(
    "CASE WHEN pg_catalog.pg_typeof({0})::pg_catalog.oid < {1} THEN {0}::pg_catalog.text"
    " WHEN pg_catalog.num_nulls({0}) = 0 THEN pg_catalog.concat({0}) END"
)
Rows = Callable[[str, dict[str, Any]], Iterable[tuple[Any, ...]]]


def as_text(of: sql.Composable) -> sql.Composed:
    """A value of any type as text."""
    return _TEXT.format(of, sql.SQL(str(FIRST_OF_USERS)))


def equal_keys(
    rows: Rows, table: tuple[str, str], columns: Sequence[str], left: str, right: tuple[str, Sequence[str]]
) -> sql.Composed:
    """`left.a = right.x AND left.b = right.y`, each by the operator that a unique index asks.

    Args:
        rows: runs a query with parameters.
        table: schema and name.
        columns: of the table, as the left side names them.
        left: an alias.
        right: an alias, and the columns' names there.
    """
    spot = {"schema": table[0], "table": table[1]}
    found = {name: (schema, operator) for name, schema, operator in rows(query("equality"), spot)}
    return sql.SQL(" AND ").join(
        sql.SQL("{} OPERATOR({}.{}) {}").format(
            sql.Identifier(left, name), sql.Identifier(found[name][0]), sql.SQL(found[name][1]),
            sql.Identifier(right[0], other),
        )
        for name, other in zip(columns, right[1], strict=True)
    )  # fmt: skip
