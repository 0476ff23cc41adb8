"""Predicates by meaning: what PostgreSQL prints and what people write come out alike."""

from __future__ import annotations

import pytest

from vaccine.predicates import columns_in, implies, literal, parse, quote, render


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("((status)::text = 'open'::text)", "status = 'open'"),
        ("((status)::text = ANY ((ARRAY['b'::varchar, 'a'::varchar])::text[]))", "status IN ('a', 'b')"),
        ("(status = 'a' OR status = 'b')", "status IN ('a', 'b')"),
        ("(status <> ALL (ARRAY['a'::mood, 'b'::mood]))", "status NOT IN ('a', 'b')"),
        ("(is_current = true)", "is_current"),
        ("(is_current IS TRUE)", "is_current"),
        ("(NOT deleted)", "NOT deleted"),
        ("(deleted = false)", "NOT deleted"),
        ("(deleted IS NOT TRUE)", "deleted IS NOT TRUE"),
        ("((a IS NULL) AND (b IS NOT NULL))", "a IS NULL AND b IS NOT NULL"),
        ("(amount > (0)::numeric)", "amount > 0"),
        ("(((a + b) * 2) > 3)", "((a + b) * 2) > 3"),
        ("((made)::date = '2026-01-01'::date)", "(made)::date = '2026-01-01'"),
        ('("Größe ""x""" = \'o\'\'k\')', '"Größe ""x""" = \'o\'\'k\''),
        ("lower(email) = 'a@b.c'", "lower(email) = 'a@b.c'"),
        ("CASE WHEN a THEN b ELSE c END", "CASE WHEN a THEN b ELSE c END"),
        ("true", None),
        ("  ", None),
    ],
)  # fmt: skip
def test_forms_of_one_meaning_read_alike(text: str, readable: str | None) -> None:
    assert render(parse(text)) == readable
    assert parse(readable) == parse(text)


def test_not_of_is_true_is_not_simplified() -> None:
    assert parse("NOT (done IS TRUE)") != parse("NOT done")


@pytest.mark.parametrize(
    ("given", "wanted", "verdict"),
    [
        ("status = 'open'", "status IN ('open', 'new')", True),
        ("status IN ('open', 'new')", "status = 'open'", False),
        ("status = 'open' AND a", "a AND status = 'open'", True),
        ("a", "a AND b", False),
        ("status = 'open'", "status IS NOT NULL", True),
        ("status = 'open'", "status <> 'closed'", True),
        ("status <> 'closed'", "status = 'open'", False),
        ("deleted = false", "deleted IS NOT TRUE", True),
        ("deleted IS NOT TRUE", "NOT deleted", False),
        ("amount > 10", "amount > 0", None),
        ("lower(a) = 'x'", "b = 1", None),
        ("a = 1", "", True),
        ("", "a = 1", False),
    ],
)
def test_implication_is_only_claimed_where_it_is_certain(given: str, wanted: str, verdict: bool | None) -> None:
    assert implies(parse(given), parse(wanted)) is verdict


def test_not_null_columns_need_no_condition() -> None:
    assert implies((), parse("code IS NOT NULL"), {"code"}) is True
    assert implies((), parse("code IS NOT NULL")) is False


def test_columns_of_an_expression_are_neither_types_nor_functions() -> None:
    known = {"email", "text", "lower", "We ird", "varying"}
    assert columns_in("lower((email)::character varying(10)) || \"We ird\" || 'text'::text", known) == (
        "email",
        "We ird",
    )


def test_quoting() -> None:
    assert [quote(name) for name in ("plain_1", "User", "user", 'a"b', "über")] == [
        "plain_1", '"User"', '"user"', '"a""b"', '"über"',
    ]  # fmt: skip
    assert literal("it's") == "'it''s'"
