"""Of two keys of a table, one of which holds the other, a person needs one."""

from __future__ import annotations

from vaccine.audit.finding import Finding, Lifecycle, Priority
from vaccine.audit.overlap import untangled


def _finding(
    *columns: str, score: float = 0.7, excess: int | None = 0, rows: int | None = 1000, **more: str
) -> Finding:
    return Finding(
        "public",
        more.get("table", "t"),
        columns,
        None,
        Priority.HIGH if excess else Priority.MEDIUM,
        score,
        ("first reason", "second"),
        rows=rows,
        live_duplicate_groups=excess,
        live_excess_rows=excess,
        lifecycle=Lifecycle(more.get("predicate")),
    )


def _keys(*findings: Finding) -> list[tuple[str, ...]]:
    return [finding.columns for finding in untangled(findings)]


def test_of_two_clean_keys_the_better_candidate_stays() -> None:
    assert _keys(_finding("sku", score=0.9), _finding("category", "sku", score=0.7)) == [("sku",)]
    assert _keys(_finding("post", score=0.6), _finding("post", "user", score=0.9)) == [("post", "user")]
    assert len(_keys(_finding("a"), _finding("b"))) == 2


def test_the_same_damage_is_told_once() -> None:
    assert _keys(_finding("name", excess=9, score=0.8), _finding("kind", "name", excess=9)) == [("name",)]
    assert _keys(_finding("post", excess=9, score=0.5), _finding("post", "user", excess=9)) == [("post", "user")]
    assert len(_keys(_finding("name", excess=9, score=0.8), _finding("kind", "name", excess=4))) == 2


def test_a_key_that_repeats_across_scopes_by_habit_is_not_the_key() -> None:
    within = _finding("tenant", "code", score=0.8)
    [code, scoped] = untangled([_finding("code", excess=300, score=0.7), within])
    assert (code.priority, scoped) == (Priority.INTENTIONAL, within)
    assert code.reasons[0] == "no value repeats within one tenant: (tenant, code) may be the key"
    [code, _] = untangled([_finding("code", excess=3, score=0.7), within])
    assert code.priority is Priority.HIGH
    assert code.reasons[1] == "no value repeats within one tenant: (tenant, code) may be the key"


def test_what_was_not_counted_or_was_asked_for_stays() -> None:
    pair = (_finding("sku", score=0.9, rows=None), _finding("category", "sku"))
    assert len(untangled(pair)) == 2
    assert len(untangled([_finding("sku", score=0.9, rows=0), _finding("category", "sku", rows=0)])) == 2
    asked = ("public", "t", ("category", "sku"))
    assert len(untangled([_finding("sku", score=0.9), _finding("category", "sku")], [asked])) == 2
    assert len(_keys(_finding("sku", score=0.9), _finding("category", "sku", predicate="is_current"))) == 2
    assert len(_keys(_finding("sku", score=0.9), _finding("category", "sku", table="other"))) == 2
