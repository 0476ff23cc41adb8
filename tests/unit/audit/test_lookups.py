"""Hints from the text of statements and functions: which lookups say that a row is found by a key, and which do not."""

from __future__ import annotations

import pytest

from vaccine.audit.hints.lookups import hints_from_functions, hints_from_statements
from vaccine.catalog.model import Catalog, CatalogFunction, Column, Index, SeenStatement, Table

ORDERS = Table(
    "public",
    "orders",
    columns=(
        Column("id", 1, "bigint", not_null=True, category="N"),
        Column("shop_id", 2, "bigint", not_null=True, category="N"),
        Column("number", 3, "text", not_null=True, category="S"),
        Column("status", 4, "text", category="S"),
        Column("is_current", 5, "boolean", category="B"),
        Column("placed_at", 6, "timestamp with time zone", category="D"),
    ),
    indexes=(Index("orders_pkey", ("id",), "", unique=True, primary=True),),
)
INSERT = SeenStatement("INSERT INTO orders (number) VALUES ($1)", 7)


def _catalog(*tables: Table) -> Catalog:
    return Catalog("18.0", 180000, "d", tables)


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("SELECT * FROM orders WHERE shop_id = $1 AND number = $2 LIMIT $3", ("shop_id", "number")),
        ('SELECT o."number" FROM public."orders" o WHERE o.number = $1', ("number",)),
        ("select id from orders where number = $1 order by id limit 1", ("number",)),
        ('SELECT "orders".* FROM "orders" WHERE "orders"."number" = $1 LIMIT $2', ("number",)),
        ("SELECT orders.id AS orders_id \nFROM orders \nWHERE orders.number = $1::VARCHAR \n LIMIT $2", ("number",)),
        ("SELECT $2 AS one FROM orders WHERE number = $1 AND status = $3 LIMIT $4", ("number",)),
        ("SELECT id FROM orders WHERE number = $1 AND is_current LIMIT $2", ("number",)),
        ("SELECT id FROM orders WHERE number = $1 AND placed_at IS NULL FOR UPDATE", ("number",)),
        ("SELECT EXISTS (SELECT $2 FROM orders WHERE number = $1)", ("number",)),
        ("SELECT * FROM orders WHERE number > $1", None),
        ("SELECT * FROM orders WHERE number = $1 OR status = $2", None),
        ("SELECT * FROM orders WHERE id = $1", None),
        ("SELECT count(*) FROM orders WHERE status = $1", None),
        ("SELECT * FROM elsewhere WHERE number = $1", None),
        ("SELECT * FROM orders WHERE number = ANY ($1)", None),
        ("SELECT * FROM orders WHERE number = (SELECT max(x) FROM y)", None),
        ("SELECT * FROM orders WHERE status = $1 LIMIT $2", None),
        ("SELECT * FROM orders WHERE shop_id = $1 ORDER BY placed_at DESC LIMIT $2", None),
        ("SELECT * FROM orders WHERE shop_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED", None),
        ("SELECT * FROM orders WHERE nothing = $1", None),
    ],
)
def test_lookups_before_an_insert_are_hints(query: str, columns: tuple[str, ...] | None) -> None:
    of = _catalog(ORDERS)
    hints = hints_from_statements([SeenStatement(query, 1234), INSERT], of)
    assert [hint.columns for hint in hints] == ([columns] if columns else [])
    assert all("called 1,234 times finds a row by" in hint.reason for hint in hints)
    assert hints_from_statements([SeenStatement(query, 1234)], of) == ()


def test_one_statement_may_look_and_insert() -> None:
    text = (
        "INSERT INTO orders (number) SELECT $1 WHERE NOT EXISTS (SELECT FROM orders WHERE number = $1)",
        "INSERT INTO orders (number) SELECT number FROM staging WHERE batch = $1",
    )
    staging = Table("public", "staging", columns=(Column("batch", 1, "text"), Column("number", 2, "text")))
    statements = [SeenStatement(each, 9) for each in text] + [SeenStatement("INSERT INTO staging VALUES ($1)")]
    assert [hint.columns for hint in hints_from_statements(statements, _catalog(ORDERS, staging))] == [("number",)]


def test_a_bare_name_that_two_schemas_have_says_nothing_unless_one_is_public() -> None:
    a, b = (Table(schema, "orders", columns=ORDERS.columns, indexes=ORDERS.indexes) for schema in ("a", "b"))
    look = [SeenStatement("SELECT * FROM orders WHERE number = $1 LIMIT $2", 9), INSERT]
    assert hints_from_statements(look, _catalog(a, b)) == ()
    assert [hint.schema for hint in hints_from_statements(look, _catalog(a, b, ORDERS))] == ["public"]


def test_a_function_that_looks_up_then_inserts_is_a_hint() -> None:
    body = "BEGIN SELECT id INTO x FROM orders WHERE number = p LIMIT 1; "
    body += "IF NOT FOUND THEN INSERT INTO orders(number) VALUES (p); END IF; END"
    [hint] = hints_from_functions([CatalogFunction("public", "place", "plpgsql", body)], _catalog(ORDERS))
    assert hint.columns == ("number",)
    assert "public.place" in hint.reason
    see = CatalogFunction("public", "see", "sql", "SELECT 1 FROM orders WHERE number = $1")
    assert hints_from_functions([see], _catalog(ORDERS)) == ()
