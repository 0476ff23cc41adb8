"""How much disk a vaccination needs, about, and where. What is free there PostgreSQL cannot tell in SQL; nor can we.

The journal and the index lie in the session's default_tablespace, or in the database's own: an index does not follow
its table (manual, section 23.6). Sorts that do not fit into memory are bounded by temp_file_limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ..key import Key, Value
from ..rows.resolve_batch import images_per_row
from ..table import TargetTable

ENTRY_OVERHEAD = 16  # bytes of an index entry beside its key: header, line pointer, alignment
FILL = 0.9  # the default fillfactor of a B-tree
PAGE = 8192
ROW_HEADER = 28  # bytes of a row beside its values: header and line pointer
IMAGE_OVERHEAD = 30  # bytes of an image beside the row: header and our own columns
WAL_PER_ROW = 2  # times a row's width: the new row version and the index entries; the images come on top
UNKNOWN_WIDTH = 32  # of a key column without statistics, as the planner takes it

SPACE = """
SELECT t.spcname::text, t.oid = d.dattablespace OR pg_catalog.has_tablespace_privilege(t.oid, 'CREATE'),
       CASE WHEN limits.temp_kb < 0 THEN NULL ELSE limits.temp_kb * 1024 END, limits.memory_kb * 1024
  FROM pg_catalog.pg_database AS d
  LEFT JOIN pg_catalog.pg_tablespace AS chosen ON chosen.spcname = pg_catalog.current_setting('default_tablespace')
  JOIN pg_catalog.pg_tablespace AS t ON t.oid = coalesce(chosen.oid, d.dattablespace)
 CROSS JOIN (SELECT max(s.setting::bigint) FILTER (WHERE s.name = 'temp_file_limit') AS temp_kb,
                    max(s.setting::bigint) FILTER (WHERE s.name = 'maintenance_work_mem') AS memory_kb
               FROM pg_catalog.pg_settings AS s) AS limits
 WHERE d.datname = pg_catalog.current_database()
"""

WIDTHS = """
SELECT CASE WHEN c.reltuples > 0 THEN pg_catalog.pg_table_size(c.oid) / c.reltuples ELSE 0 END::float8,
       (SELECT sum(coalesce(s.avg_width, %(unknown)s))
          FROM unnest(%(columns)s::text[]) AS k (name)
          LEFT JOIN pg_catalog.pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = c.relname
           AND s.attname = k.name AND NOT s.inherited)::float8
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.oid = %(table)s
"""


@dataclass(frozen=True)
class Space:
    """Where new relations of the session go, and the bounds of its sorts in bytes; `temporary` None is no bound."""

    name: str
    usable: bool
    temporary: int | None
    memory: int


@dataclass(frozen=True)
class Need:
    """Bytes, about."""

    journal: int
    index: int
    wal: int
    sort: int

    def line(self, space: Space) -> str:
        """For the DBA, before anything is written."""
        of = [f"{size(self.journal)} of journal"] if self.journal else []
        of += [f"{size(self.index)} of index"] if self.index else []
        told = (
            f"disk: about {' and '.join(of)} in tablespace {space.name}, {size(self.wal)} of WAL; "
            "what is free there SQL cannot tell"
        )
        if space.temporary is not None and self.sort > max(space.memory, space.temporary):
            told += (
                f"; sorting the keys takes about {size(self.sort)}, and temp_file_limit = {size(space.temporary)}: "
                "the build may fail with 53400, then raise it for this role"
            )
        return told


def need(rows: int, row_width: float, live_rows: int, key_width: float, images: int) -> Need:
    """What `rows` rows to resolve, and an index over `live_rows` (0 for none), take.

    Widths in bytes, averages; `images` are those of one row.
    """
    journal = round(rows * images * (row_width + IMAGE_OVERHEAD))
    index = round(live_rows * (key_width + ENTRY_OVERHEAD) / FILL) + 2 * PAGE if live_rows else 0
    wal = round(rows * row_width * (WAL_PER_ROW + images)) + index
    return Need(journal, index, wal, round(live_rows * (key_width + 2 * ENTRY_OVERHEAD)))


def read_space(connection: psycopg.Connection) -> Space:
    """The tablespace and the bounds of this session."""
    row = connection.execute(SPACE).fetchone()
    assert row is not None
    return Space(*row)


def read_need(
    connection: psycopg.Connection, table: TargetTable, key: Key, assign: Mapping[str, Value], rows: int, *, index: bool
) -> Need:
    """What this vaccination takes, from the catalog's statistics: no row is read."""
    images = images_per_row(connection, table, assign)
    asked = {"table": table.oid, "columns": list(key.columns), "unknown": UNKNOWN_WIDTH}
    row = connection.execute(WIDTHS, asked).fetchone()
    assert row is not None
    live_rows, planned_width = _live_rows(connection, table, key)
    return need(rows, max(row[0], planned_width + ROW_HEADER), max(live_rows, 1) if index else 0, row[1], images)


def size(count: float) -> str:
    """Bytes in words: `17 kB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"


def _live_rows(connection: psycopg.Connection, table: TargetTable, key: Key) -> tuple[int, int]:
    """How many live rows the planner expects, and how wide; of IS NOT NULL it knows the share, of num_nulls() not."""
    whole = (sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in key.columns)
    condition = sql.SQL(" AND ").join([key.live, *whole])
    statement = sql.SQL("EXPLAIN (FORMAT JSON) SELECT * FROM {} WHERE {}").format(table.source, condition)
    row = connection.execute(statement).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Plan Rows"]), int(plan["Plan Width"])
