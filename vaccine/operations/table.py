"""The shape of the user's table as it is now: what the statements of a run are composed from."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from .key import Key

PARTITIONED = "p"
MOST_COLUMNS = 800  # a join of two such rows stays under MaxTupleAttributeNumber (manual, appendix K)

RELATION = """
SELECT c.oid::bigint, c.relkind::text FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = %s
"""


@dataclass(frozen=True)
class TableColumn:
    """One column. `type_name` is SQL that names its type in this session."""

    name: str
    type_name: str
    generated: str  # '' | 's' stored | 'v' virtual (18)
    identity: str  # '' | 'a' always | 'd' by default


@dataclass(frozen=True)
class TargetTable:
    """One table. `kind` is pg_class.relkind; `primary_key` is empty when there is none.

    `digest` tells its columns and its primary key apart from any others.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: tuple[TableColumn, ...]
    primary_key: tuple[str, ...]
    digest: str = ""

    @property
    def relation(self) -> sql.Identifier:
        """The schema-qualified name."""
        return sql.Identifier(self.schema, self.name)

    @property
    def source(self) -> sql.Composable:
        """What FROM and UPDATE say. An index covers exactly one table: rows of inheriting tables are left out."""
        return self.relation if self.kind == PARTITIONED else sql.SQL("ONLY {}").format(self.relation)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def compared(self) -> list[str]:
        """The columns that have a value of their own in each row: all but virtual ones."""
        return [column.name for column in self.columns if column.generated != "v"]

    @property
    def settable(self) -> list[str]:
        """The columns that an UPDATE may set."""
        return [column.name for column in self.columns if not column.generated and column.identity != "a"]

    def column(self, name: str) -> TableColumn | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def free(self, name: str) -> str:
        """`name`, with underscores behind it until no column of the table is called so."""
        while name in self.names:
            name += "_"
        return name

    def alias(self, name: str) -> sql.Identifier:
        """`name` as an alias that is not the table's own name, by which a statement knows the table."""
        return sql.Identifier(name + "_" if name == self.name else name)


# Of the pg_class row `c`. NULL when the table is gone.
DIGEST = """(SELECT pg_catalog.hashtextextended(
                   pg_catalog.string_agg(ROW(a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attgenerated,
                                             a.attidentity, k.place)::text, '' ORDER BY a.attnum), 0)::text
          FROM pg_catalog.pg_attribute a
          LEFT JOIN (SELECT u.attnum, u.place
                       FROM pg_catalog.pg_index i
                      CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS u (attnum, place)
                      WHERE i.indrelid = c.oid AND i.indisprimary) AS k ON k.attnum = a.attnum
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)"""

TABLE = f"""
SELECT c.oid, c.relkind::text, coalesce({DIGEST}, ''),
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place)
                   FROM pg_catalog.pg_index i
                  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                  WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND k.place <= i.indnkeyatts), '{{}}')
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = %s
"""  # noqa: S608  of texts of our own

COLUMNS = """
SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attgenerated::text, a.attidentity::text
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""


def read_table(connection: psycopg.Connection, key: Key) -> TargetTable | None:
    """The table of a key as the catalog has it now; None when nothing has that name."""
    found = connection.execute(TABLE, (key.schema, key.table)).fetchone()
    if found is None:
        return None
    oid, kind, digest, primary_key = found
    columns = tuple(TableColumn(*row) for row in connection.execute(COLUMNS, (oid,)))
    return TargetTable(oid, key.schema, key.table, kind, columns, tuple(primary_key), digest)


def equal(left: str, left_names: tuple[str, ...], right: str, right_names: tuple[str, ...]) -> sql.Composable:
    """`left.a = right.x AND left.b = right.y …`."""
    pairs = zip(left_names, right_names, strict=True)
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, a), sql.Identifier(right, b)) for a, b in pairs
    )


def table_oid(connection: psycopg.Connection, key: Key) -> int | None:
    """The oid of the key's table, or None when there is none of that name."""
    found = connection.execute(RELATION, (key.schema, key.table)).fetchone()
    return int(found[0]) if found else None
