"""The checks' texts and queries, without a server."""

from __future__ import annotations

import re

import pytest

from vaccine.operations.checks.embed import script_block
from vaccine.operations.checks.every import EVERY
from vaccine.operations.checks.model import PLACE, Check, Question, Reason, Stage, told
from vaccine.operations.key import Key, Policy
from vaccine.operations.options import Options

HOSTILE = Question(
    Key("sch\"é' %s", "t{a}b'le", ("k'ey", "{schema}"), "\"st'at\" = 'op''en %s {}' -- x"),
    Policy(("id DESC -- {}",), {"st'at": "re'sol{v}ed %s\\", "x": {"sql": "now() -- %"}}, (("1", "'"),), 9, "p"),
    'u"%s {index}',
    Options(wait_s=7),
)


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.code)
def test_a_check_says_what_is_so_and_the_way_out(check: Check) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.code)
    assert check.fix
    for text in (check.text, check.fix):
        assert text == text.strip()
        assert not text.endswith(".")
        assert not text[0].isupper() or text.split()[0].isupper() or text.startswith("PostgreSQL")
    assert not (check.elsewhere and not check.blocking), "what never blocks blocks nowhere"
    assert not check.ignores or check.probe


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.code)
def test_the_query_gives_every_value_that_the_texts_name(check: Check) -> None:
    composed = check.composed(HOSTILE).as_string(None)
    query = composed.partition(" FROM (")[2]
    for name in set(PLACE.findall(check.text + check.fix)):
        assert f'q."{name}"' in composed
        assert re.search(rf'\b(AS|as) "?{name}"?\b|\b[a-z]\.{name}\b|\b{name}\b', query), name
    assert ("statements" in query) == check.probe


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.code)
def test_names_and_values_enter_as_literals(check: Check) -> None:
    """What a brace or a quote in a name could break: the query is the same but for its literals."""
    composed = check.composed(HOSTILE).as_string(None)
    without = re.sub(r"(?: E)?'(?:[^'\\]|''|\\.)*'", "''", composed)
    assert "{" not in without
    assert "op''en" not in without
    assert "sch" not in without.replace("schema", "")


def test_a_text_is_formatted_by_the_server() -> None:
    assert told("100% of {a}, {b} and {a}").as_string(None) == (
        'pg_catalog.format(\'100%% of %1$s, %2$s and %1$s\', q."a"::text, q."b"::text)'
    )


def test_a_reason_reads_as_what_is_so_its_code_and_the_way_out() -> None:
    assert str(Reason("name-taken", "the name u is taken", "choose another")) == (
        "the name u is taken [name-taken]: choose another"
    )


def test_codes_are_told_apart() -> None:
    codes = [check.code for check in EVERY]
    assert len(codes) == len(set(codes))


def test_the_script_carries_every_check_that_blocks_or_the_check_says_why_not() -> None:
    block = script_block(HOSTILE, "refused", *Stage)
    for check in EVERY:
        assert (f"'{check.code}'" in block) == (check.blocking and not check.unasked), check.code
    assert script_block(HOSTILE, "refused") == ""
