"""What is read of a database's texts takes time that is linear in them, whatever stands there."""

import time

import pytest

from vaccine.audit.hints.lookups import hints_from_functions
from vaccine.audit.sightings.database import tables_inserted
from vaccine.catalog.model import Catalog, CatalogFunction, Column, Table
from vaccine.plan.order import Stamper
from vaccine.predicates import columns_in, direction, parse, plain_text

SIZE = 140_000
PIECES = [
    "SELECT ", "SELECT x FROM ", "SELECT x FROM t WHERE a = $1 ", "SELECT a FROM t WHERE ((((", "INSERT INTO ",
    "INSERT INTO t ", "INSERT INTO t; SELECT 1 FROM t WHERE a = (", ")", "(", " ", "\n", "a", '"', "'", ".", "AND ",
    "FROM t WHERE a::b c ", "LIMIT ", "ORDER BY ", "count (", ", x y WHERE ", "NEW . ", "new.a ", "new\n", "f(", "NOT ",
    "/*", "--", "$a$", "E'\\", "\\", "a OR ", "DESC ", "NULLS FIRST ", "[", "é", "a::b",
    "a = b AND ",
]  # fmt: skip
CATALOG = Catalog("18.0", 180000, "d", (Table("public", "t", 1, columns=(Column("a", 1, "text"),)),))


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long(piece: str) -> None:
    text = "INSERT INTO t VALUES (1); SELECT a FROM t WHERE a = " + piece * (SIZE // len(piece))
    function = CatalogFunction("public", "f", "plpgsql", text)
    for read in (
        lambda: hints_from_functions([function], CATALOG),
        lambda: tables_inserted(text),
        lambda: Stamper("t", "plpgsql", text, "", always=False).may_stamp("a"),
        lambda: Stamper("t", "sql", text, "", always=False).may_stamp("a"),
        lambda: parse(text),
        lambda: parse(text[:19_000]),
        lambda: columns_in(text, {"a"}),
        lambda: columns_in(text[:19_000], {"a"}),
        lambda: direction(text[:19_000]),
        lambda: plain_text(text[:19_000]),
    ):
        start = time.process_time()
        read()
        assert time.process_time() - start < 1, piece


@pytest.mark.parametrize("calls", [20, 200, 5000])
def test_what_is_nested_too_deep_is_not_understood(calls: int) -> None:
    text = "lower(" * calls + "a" + ")" * calls + " = 'x'"
    (condition,) = parse(text)
    assert (condition.kind, condition.text) == ("sql", text)
    (condition,) = parse("NOT " * calls + "(a = 'x' OR b)")
    assert condition.kind == "sql"
