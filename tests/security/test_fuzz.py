"""Whatever a person or a file gives: a value or an error of Vaccine's own, no password in it, in less than 0.1 s.

VACCINE_FUZZ says how many inputs of each kind; `make fuzz` takes 20,000 of each of six kinds.
"""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.plan.plans import VACCINATION, hostile, plan
from vaccine.audit.config import load as load_config
from vaccine.catalog.expression import order_text, predicate_text, value_text
from vaccine.catalog.keyname import parse_key
from vaccine.catalog.names import names_in, qualified
from vaccine.connect import read_only, to_libpq
from vaccine.errors import ConfigurationError, PlanFileError, PredicateError, UsageError, VaccineError
from vaccine.plan import file as planfile
from vaccine.plan.request import parse_assignment
from vaccine.predicates import columns_in, direction, parse, plain_text, render

INPUTS = int(os.environ.get("VACCINE_FUZZ", "150"))
FUZZ = settings(
    max_examples=INPUTS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PIECES = (
    "status", "=", "'open'", "'", '"', "(", ")", " AND ", " OR ", "NOT ", "::", "text", ".", ",", ";", "--", "/*", "*/",
    "\n", "$$", "$a$", "E'\\'", "IN", "IS NULL", "lower(", "app.f(", "a", "1", "1e400", "[", "]", "ARRAY", "DESC", "$1",
    " NULLS LAST", "\\", "\0", "é", "\u202e", "\x1b", "COMMIT", "OPERATOR(public.=)", "%s", "%", "{}", "{0}", "U&'",
    "CASE WHEN ", "current_user",
)  # fmt: skip
SQL = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=40).map("".join)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
SECRET = "hunter2SECRET"


def quickly(work: Callable[[], Any], *expected: type[VaccineError]) -> Any:
    """What it gives, or the error that it may raise; slower than 0.1 s of processor time fails."""
    gc.disable()  # the collector walks what Hypothesis keeps, not what we made
    start = time.process_time()
    try:
        found = work()
    except expected as error:
        found = error
    spent = time.process_time() - start
    gc.enable()
    assert spent < 0.1
    return found


@FUZZ
@given(SQL)
def test_predicates(text: str) -> None:
    known = quickly(lambda: parse(text))
    quickly(lambda: render(known))
    plain = quickly(lambda: plain_text(text))
    assert quickly(lambda: plain_text(plain)) == plain
    expression, order = quickly(lambda: direction(text))
    assert text.strip().startswith(expression)
    assert text.strip().endswith(order)
    quickly(lambda: columns_in(text, {"status"}))
    assert qualified(plain, names_in(plain), {}, "app") == plain


@FUZZ
@given(st.one_of(SQL, st.text(alphabet='a."é, ', max_size=30)))
def test_keys(text: str) -> None:
    found = quickly(lambda: parse_key(text), UsageError)
    if not isinstance(found, UsageError):
        assert found.table
        assert found.columns


@FUZZ
@given(SQL)
def test_assignments(text: str) -> None:
    quickly(lambda: parse_assignment(text), UsageError)


def as_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {as_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return "1e400" if value is None else json.dumps(value).replace("Infinity", "inf").replace("NaN", "nan")


SETTINGS = (
    "schemas",
    "exclude",
    "budget_s",
    "jobs",
    "min_score",
    "with_frameworks",
    "baseline",
    "accept",
    "lifecycle",
    "x",
)
OF_A_KEY = ("key", "predicate", "assign", "survivor", "name", "gate", "max_rows", "keep", "reason", "until", "x")
GOOD_KEY = st.just({"key": "public.t.a"})
ENTRY = st.builds(
    lambda a, b: {**b, **a}, GOOD_KEY | st.just({}), st.dictionaries(st.sampled_from(OF_A_KEY), JSON, max_size=3)
)
DOCUMENT = st.dictionaries(st.sampled_from(SETTINGS), JSON | st.lists(ENTRY, max_size=2), max_size=3)


TOML = DOCUMENT.map(lambda of: "\n".join(f"{name} = {as_toml(each)}" for name, each in of.items()))


@FUZZ
@given(st.one_of(SQL, TOML), st.sampled_from(["vaccine.toml", "pyproject.toml"]), st.booleans())
def test_configurations(tmp_path: Path, written: str, name: str, section: bool) -> None:
    path = tmp_path / name
    text = f"[tool.vaccine]\n{written}" if section else f"[tool]\nvaccine = {written}"
    path.write_bytes(text.encode(errors="surrogatepass"))
    quickly(lambda: load_config(path), ConfigurationError)


PLAN = json.loads(planfile.dump(plan(VACCINATION, hostile())))


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a document."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [path, *(place for name, each in inner for place in places(each, (*path, name)))]


PLACES = places(PLAN)[1:]


@FUZZ
@given(st.sampled_from(PLACES), JSON, st.sampled_from(["set", "drop", "add"]))
def test_plans(tmp_path: Path, place: tuple[Any, ...], value: object, how: str) -> None:
    document = json.loads(json.dumps(PLAN))
    spot = document
    for step in place[:-1]:
        spot = spot[step]
    if how == "drop":
        del spot[place[-1]]
    elif how == "add" and isinstance(spot[place[-1]], dict):
        spot[place[-1]]["more"] = value
    else:
        spot[place[-1]] = value
    body = {name: each for name, each in document.items() if name not in {"vaccine_plan", "id", "digest"}}
    document["digest"] = planfile._digest(body)
    document["id"] = document["digest"][:8]
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document))
    found = quickly(lambda: planfile.load(path), PlanFileError)
    if not isinstance(found, PlanFileError):
        assert json.loads(planfile.dump(found)) == document


BEGINS = ("postgresql://", "postgres://", "postgresql+psycopg://", "mysql://", "", "service=", "host=a password=")
PARTS = ("user", ":", "@", "/", "?", "=", "&", " ", "host", "12", "%", "[", SECRET, "password=")
RESTS = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=3)), max_size=8).map("".join)


@FUZZ
@given(st.sampled_from(BEGINS), RESTS)
def test_urls(begin: str, rest: str) -> None:
    found = quickly(lambda: to_libpq(f"{begin}{rest}"), UsageError)
    if isinstance(found, UsageError):
        assert SECRET not in str(found)


@pytest.fixture(scope="module")
def reading(server: Any) -> Any:
    name = f"fuzz_{os.getpid()}"
    with psycopg.connect(server.url, autocommit=True) as making:
        making.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(server.url_of(name), autocommit=True) as making:
        making.execute("CREATE TABLE t (id int PRIMARY KEY, status text, a int)")
    with read_only(server.url_of(name)) as connection:
        yield connection
    with psycopg.connect(server.url, autocommit=True) as making:
        making.execute(f"DROP DATABASE {name}")


@settings(FUZZ, max_examples=min(INPUTS, 2000))
@given(SQL)
def test_what_postgresql_takes_stays_inside_its_parentheses(reading: psycopg.Connection, text: str) -> None:
    for accept in (predicate_text, order_text, value_text):
        found = quickly(lambda accept=accept: accept(reading, ("public", "t"), text), PredicateError)
        if accept is predicate_text and isinstance(found, str):
            rows = reading.execute(f"SELECT FROM public.t WHERE FALSE AND ({found})".encode()).fetchall()
            assert rows == []
