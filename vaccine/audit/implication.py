"""Does one predicate imply another? PostgreSQL's planner is asked where text cannot tell.

With constraint_exclusion on, the planner looks whether a query's own conditions contradict each other (manual,
section 20.7.4) by the same proofs that let it use a partial index (section 11.8). `A AND (B) IS NOT TRUE` is
contradictory exactly when A implies B, and then the plan has no scan: no index must exist, no other index can be
preferred, and a standby or an empty table answers alike. EXPLAIN runs nothing, writes nothing, takes ACCESS SHARE.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, product

from psycopg import sql

from vaccine.audit.counts import relation
from vaccine.catalog.model import Column, Table
from vaccine.catalog.reader import Reader
from vaccine.predicates import Condition, parse

CASES = 16  # combinations of constants that are tried
# Types whose equal values are the same value, so that a constant may stand for the column.
_IDENTICAL = ("text", "character varying", "boolean", "smallint", "integer", "bigint", "uuid", "date")


def proves(reader: Reader, table: Table, predicate: str, wanted: str) -> bool:
    """Whether the planner proves that each row of `table` with `predicate` has `wanted`; False proves nothing.

    Call it inside a block: it sets a planner option for the rest of the transaction.
    """
    reader.run("SET LOCAL constraint_exclusion = on")
    every = tuple(islice(_cases(table, predicate), CASES + 1))
    return len(every) <= CASES and all(_contradiction(reader, table, predicate, wanted, case) for case in every)


def _contradiction(reader: Reader, table: Table, predicate: str, wanted: str, constants: Mapping[str, str]) -> bool:
    columns = sql.SQL(", ").join(_column(column, constants.get(column.name)) for column in table.columns)
    facts = sql.SQL("").join(map(_fact, parse(predicate)))
    query = sql.SQL(
        "EXPLAIN (FORMAT JSON) SELECT 1 FROM (SELECT {columns} FROM {table}) AS {name}"
        " WHERE ({predicate}\n){facts} AND (({wanted}\n) IS NOT TRUE)"
    ).format(
        columns=columns,
        table=relation(table),
        name=sql.Identifier(table.name),
        predicate=sql.SQL(predicate),
        facts=facts,
        wanted=sql.SQL(wanted),
    )
    plan = reader.row(query)[0][0]["Plan"]
    return plan["Node Type"] == "Result" and "Plans" not in plan


def _cases(table: Table, predicate: str) -> Iterator[Mapping[str, str]]:
    """The values of the columns that the predicate fixes, in every combination."""
    fixed: dict[str, tuple[str, ...]] = {}
    for condition in parse(predicate):
        column = table.by_name.get(condition.column)
        if column is not None:
            values = _values(column, condition)
            if values:
                fixed[column.name] = values
    for values in product(*fixed.values()):
        yield dict(zip(fixed, values, strict=True))


def _values(column: Column, condition: Condition) -> tuple[str, ...]:
    if condition.kind == "null":
        return ("NULL",)
    if condition.kind in {"true", "false"}:
        return (condition.kind,)
    identical = column.category == "E" or column.type.startswith(_IDENTICAL)
    return condition.values if condition.kind == "in" and identical else ()


def _column(column: Column, constant: str | None) -> sql.Composable:
    name = sql.Identifier(column.name)
    if constant is None:
        return name
    # The constants and the type are PostgreSQL's own text, or part of a predicate that is run as it stands anyway.
    return sql.SQL("CAST({} AS {}) AS {}").format(sql.SQL(constant), sql.SQL(column.type), name)


def _fact(condition: Condition) -> sql.Composable:
    """What the planner does not conclude by itself from a flag: that it IS TRUE, or IS FALSE."""
    name = sql.Identifier(condition.column)
    if condition.kind == "true":
        return sql.SQL(" AND {0} IS TRUE AND {0} IS NOT FALSE").format(name)
    if condition.kind == "false":
        return sql.SQL(" AND {0} IS FALSE AND {0} IS NOT TRUE").format(name)
    return sql.SQL("")
