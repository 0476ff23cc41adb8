"""Does one predicate imply an index's? PostgreSQL's planner is asked where text cannot tell.

The planner uses a partial index only when it has proven that the query's condition implies the index's
(manual, section 11.8). EXPLAIN runs nothing, writes nothing, and takes ACCESS SHARE alone.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from vaccine.catalog import Index, Table
from vaccine.evidence import relation
from vaccine.reader import Reader


def proves(reader: Reader, table: Table, predicate: str, index: Index) -> bool:
    """Whether the planner proves that `predicate` implies the partial index's own; False proves nothing.

    Call it inside a block: it sets planner options for the rest of the transaction.
    """
    reader.run("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
    order = [name for name in index.columns if name is not None]
    ordered = sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(map(sql.Identifier, order))) if order else sql.SQL("")
    query = sql.SQL("EXPLAIN (FORMAT JSON) SELECT 1 FROM {} WHERE ({}\n){}").format(
        relation(table), sql.SQL(predicate), ordered
    )
    return _uses(reader.row(query)[0], index.name)


def _uses(plan: Any, name: str) -> bool:
    if isinstance(plan, list):
        return any(_uses(part, name) for part in plan)
    if isinstance(plan, dict):
        return plan.get("Index Name") == name or any(_uses(part, name) for part in plan.values())
    return False
