"""Choices that no upgrade could carry out are refused by the plan, in words."""

from __future__ import annotations

import psycopg
import pytest

from vaccine.catalog.keyname import parse_key
from vaccine.connect import read_only
from vaccine.errors import VaccineError
from vaccine.plan.make import make_plan
from vaccine.plan.model import Plan
from vaccine.plan.request import Choices

TABLES = """
CREATE TABLE iss (id int PRIMARY KEY, h text, g text, status text DEFAULT 'open', doc json);
INSERT INTO iss (id, h) SELECT i, 'h' || i % 5 FROM generate_series(1, 12) AS i;
CREATE VIEW seen AS SELECT * FROM iss;
CREATE TABLE places (a int, b text, k text, PRIMARY KEY (a, b));
INSERT INTO places VALUES (1, 'x,y', 'k'), (2, 'z', 'k');
"""
OPEN = {"where": "status = 'open'", "assign": (("status", "done"),)}

REFUSED = [
    ("iss.h", {**OPEN, "survivor": ("Random ( ) DESC",)}, "random() is VOLATILE"),
    ("iss.h", {**OPEN, "where": "random() < 0.5"}, "random() is not IMMUTABLE"),
    ("iss.h", {**OPEN, "keep": (("999",),)}, "--keep 999 is no live row of public.iss"),
    ("iss.h", {**OPEN, "where": "status = 'shut'", "keep": (("1",),)}, "of that row status = 'shut' is not true"),
    ("iss.h", {**OPEN, "keep": (("one",),)}, 'invalid input syntax for type integer: "one"'),
    ("iss.h", {**OPEN, "keep": (("1", "2"),)}, "does not fit the primary key"),
    ("iss.doc", OPEN, "could not identify an ordering operator for type json"),
    ("seen.h", OPEN, "public.seen is a view: name the table beneath it"),
]  # fmt: skip


def plan(url: str, *keys: str, **choices: object) -> Plan:
    with read_only(url) as connection:
        return make_plan(connection, [parse_key(key) for key in keys], Choices(**choices))  # type: ignore[arg-type]


def codes(made: Plan, *, blocking: bool) -> list[str]:
    return [each.code for each in made.vaccinations[0].hazards if each.blocking == blocking]


def test_what_no_upgrade_could_do_is_refused(database: str, connection: psycopg.Connection) -> None:
    connection.execute(TABLES)
    for key, choices, said in REFUSED:
        with pytest.raises(VaccineError) as caught:
            plan(database, key, **choices)
        assert said in str(caught.value), key
        assert caught.value.fix

    twice = plan(database, "iss.h", **OPEN, keep=(("1",), ("6",)), max_rows=9)
    assert codes(twice, blocking=True) == ["kept-twice"]
    assert plan(database, "iss.h", **OPEN, keep=(("1",), ("2",)), max_rows=9).vaccinations[0].blocked == ()
    assert plan(database, "places.k", assign=(("k", None),), keep=(("1", "x,y"),)).vaccinations[0].blocked == ()
    named = plan(database, "iss.h", "iss.g", "public.iss.h")
    assert [each.columns for each in named.vaccinations] == [("h",), ("g",)]


def test_an_index_that_would_hold_no_row_is_said(database: str, connection: psycopg.Connection) -> None:
    connection.execute(TABLES)
    assert "guards-nothing" in codes(plan(database, "iss.g"), blocking=False)
    assert "guards-nothing" in codes(plan(database, "iss.h,g"), blocking=False)
    assert "guards-nothing" not in codes(plan(database, "iss.h", where="id > 11"), blocking=False)
    connection.execute("TRUNCATE iss")
    assert "guards-nothing" not in codes(plan(database, "iss.h", where="id > 11"), blocking=False)
