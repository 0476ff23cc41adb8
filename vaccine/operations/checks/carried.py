"""Foreign keys that carry an UPDATE on to rows that no journal keeps.

ON UPDATE CASCADE to other tables is harmless: on the way back those rows follow again. SET NULL and SET DEFAULT never
come back, however far along a cascade they stand; and a cascade that leads back to the table changes rows that have
images of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ..table import TargetTable
from .model import Check, Question

# A leaf partition has rows of its own for keys that refer to its parent; the parent's are left out only where they
# would say the same once more. UNION ends cycles.
CARRIED_ON = """
WITH RECURSIVE changed (relid, attnum) AS (
SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = {table} AND a.attname = ANY ({columns}::text[]) AND NOT a.attisdropped
UNION
SELECT f.conrelid, k.own
  FROM changed c
  JOIN pg_catalog.pg_constraint f ON f.confrelid = c.relid AND f.contype = 'f' AND f.confupdtype = 'c'
 CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(f.confkey), pg_catalog.unnest(f.conkey)) AS k (referred, own)
 WHERE k.referred = c.attnum
)
SELECT f.conname::text, f.conrelid::pg_catalog.regclass::text, f.confrelid::pg_catalog.regclass::text,
       CASE f.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END,
       pg_catalog.string_agg(DISTINCT a.attname::text, ', ')
  FROM pg_catalog.pg_constraint f
  JOIN changed c ON c.relid = f.confrelid AND c.attnum = ANY (f.confkey)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.relid AND a.attnum = c.attnum
 WHERE f.contype = 'f'
   AND (f.confupdtype IN ('n', 'd') OR f.confupdtype = 'c' AND f.conrelid = {table})
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint up
                    WHERE up.oid = f.conparentid AND up.confrelid = f.confrelid)
 GROUP BY f.oid, 1, 2, 3, 4
 ORDER BY 2, 1
"""


@dataclass(frozen=True)
class CarriedOn:
    """One such foreign key: its name, its table, what it does, and the columns that it refers to, of which table."""

    name: str
    source: str
    referred: str
    action: str
    columns: str


def carried_on(connection: psycopg.Connection, table: int, columns: Sequence[str]) -> tuple[CarriedOn, ...]:
    """The foreign keys that carry an UPDATE of these columns of the table (an oid) on; none in most tables."""
    statement = CARRIED_ON.format(table="%(table)s", columns="%(columns)s")
    found = connection.execute(statement, {"table": table, "columns": list(columns)}).fetchall()
    return tuple(CarriedOn(*row) for row in found)


def reasons(connection: psycopg.Connection, table: TargetTable, columns: Sequence[str], doing: str) -> list[str]:
    """Why not; `doing` is what changes the columns."""
    return [
        f"the foreign key {each.name} of {each.source} (ON UPDATE {each.action}) refers to {each.columns} of "
        f"{each.referred}: {doing} would change rows there, of which the journal keeps nothing: make it ON UPDATE NO "
        "ACTION first, or see to those rows by hand"
        for each in carried_on(connection, table.oid, columns)
    ]


def query(question: Question) -> sql.Composable:
    """Those of the assigned columns."""
    inner = CARRIED_ON.strip().replace("{table}", "(SELECT c.oid FROM {target})").replace("{columns}", "{assigned}")
    return question.of_table(f"SELECT f.* FROM ({inner}) AS f (name, source, referred, action, columns)")


CHECK = Check(
    "carried-on",
    "the foreign key {name} of {source} (ON UPDATE {action}) refers to {columns} of {referred}: resolving a row would "
    "change rows there, of which the journal keeps nothing",
    "make it ON UPDATE NO ACTION first, see to those rows by hand, or choose another --assign",
    query,
)
