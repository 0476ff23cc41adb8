"""How much a key matters, from facts alone."""

from __future__ import annotations

from dataclasses import replace

from vaccine.audit.counts import KeyCounts
from vaccine.audit.coverage import Coverage
from vaccine.audit.finding import Priority, Writer
from vaccine.audit.groups import Details, SampleGroup
from vaccine.audit.priority import Facts, judge
from vaccine.catalog.model import Index, Table

FLOW = Writer("flow", "Create task", confidence=0.9)
GRANT = Writer("role", "app", confidence=0.1)


def _facts(rows: int, excess: int = 0, nulls: int = 0, **more: object) -> Facts:
    groups = min(excess, 1) if excess < 10 else excess // 2
    counts = KeyCounts(rows, nulls, rows - nulls - excess, groups, excess)
    live = replace(counts, rows=rows - nulls, nulls=0)
    base = Facts(Table("public", "tasks"), ("code",), 0.6, Coverage(), every=counts, live=live)
    return replace(base, **more)  # type: ignore[arg-type]


def test_live_duplicates_are_high() -> None:
    found = judge(_facts(100, 2))
    assert found.priority is Priority.HIGH
    assert found.reasons[0] == "1 live duplicate group, 2 rows too many; no unique index"


def test_data_and_a_writer_are_medium_and_few_rows_or_nobody_low() -> None:
    assert judge(_facts(10, writers=(FLOW,))).priority is Priority.MEDIUM
    assert judge(_facts(9, writers=(FLOW,))).priority is Priority.LOW
    assert judge(_facts(1000, writers=(GRANT,))).priority is Priority.LOW
    assert judge(_facts(0, writers=(FLOW,))).reasons[0] == "no unique index; the table is empty"


def test_a_busy_lookup_key_is_high_before_its_first_duplicate() -> None:
    assert judge(_facts(1000, writers=(FLOW,), columns=("content_hash",))).priority is Priority.HIGH


def test_a_key_that_repeats_in_most_rows_groups_on_purpose() -> None:
    found = judge(_facts(165, 153))
    assert found.priority is Priority.INTENTIONAL
    assert found.reasons == ("groups rows on purpose: 12 distinct in 165 rows",)


def test_a_log_has_mostly_no_key() -> None:
    facts = _facts(15_317, nulls=15_300, table=Table("public", "registry_changelog"))
    assert judge(facts).priority is Priority.LOG
    assert judge(replace(facts, table=Table("public", "people"))).priority is not Priority.LOG


def test_guards_and_their_holes_are_said() -> None:
    found = judge(_facts(10, coverage=Coverage(("uq",), holes=("NULLs pass",))))
    assert (found.priority, found.reasons) == (Priority.GUARDED, ("guarded by uq", "NULLs pass"))


def test_a_sample_can_only_say_at_least() -> None:
    sample = KeyCounts(1000, 0, 998, 2, 2)
    found = judge(_facts(0, every=None, live=None, sample=sample))
    assert found.priority is Priority.HIGH
    assert found.reasons[0].startswith("at least 2 live duplicate groups")


def test_what_was_not_counted_is_no_zero() -> None:
    found = judge(_facts(0, every=None, live=None))
    assert found.priority is Priority.LOW
    assert "rows not counted" in found.reasons[0]


def test_rows_speak_for_or_against_a_weak_candidate() -> None:
    assert judge(_facts(500, score=0.14)).score > 0.5
    assert judge(_facts(500, 150, score=0.14)).score < 0.5


def test_a_value_that_stands_for_none_is_no_damage() -> None:
    nothing = Details(groups=(SampleGroup(("",), 51, ("1", "2")),))
    facts = _facts(1000, 50, writers=(FLOW,), details=nothing)
    facts = replace(facts, live=replace(facts.live, groups=1, empty=51))
    found = judge(facts)
    assert found.priority is Priority.MEDIUM
    assert "51 rows have code = '', which stands for no value: make it NULL first" in found.reasons
    both = Details(groups=(SampleGroup(("N/A",), 49, ()), SampleGroup(("x",), 3, ())))
    found = judge(replace(facts, live=replace(facts.live, groups=2, empty=0), details=both))
    assert (found.priority, found.reasons[0]) == (
        Priority.HIGH,
        "1 live duplicate group, 2 rows too many; no unique index",
    )
    assert "49 rows have code = 'N/A'" in found.reasons[1]


def test_empty_strings_do_not_make_a_key_look_shared() -> None:
    counts = KeyCounts(1000, 0, 401, 1, 599, empty=600)
    details = Details(groups=(SampleGroup(("",), 600, ()),))
    found = judge(_facts(0, every=counts, live=counts, writers=(FLOW,), details=details))
    assert found.priority is Priority.MEDIUM


def test_values_that_differ_by_case_alone_are_said() -> None:
    found = judge(_facts(1000, writers=(FLOW,), details=Details(variants=4)))
    assert "4 values of code equal another but for case or blanks" in found.reasons


def test_few_duplicates_speak_less_for_a_weak_candidate_than_none() -> None:
    names = judge(_facts(5000, 25, score=0.14))
    assert names.score < 0.6
    assert judge(_facts(5000, 0, score=0.14)).score > 0.6
    assert judge(_facts(5000, 25, score=0.5)).score > 0.6


def test_inserts_without_a_name_and_live_rows_are_told_as_they_are() -> None:
    inserts = Writer("statistics", "inserts", confidence=0.5, evidence="5,000 rows inserted since 2026-01-01")
    facts = _facts(5000, writers=(inserts,))
    assert judge(facts).reasons[0] == (
        "no unique index; 5,000 rows inserted since 2026-01-01; no duplicate yet in 5,000 rows"
    )
    live = replace(facts, live=KeyCounts(40, 0, 40, 0, 0))
    assert judge(live).reasons[0].endswith("no duplicate yet in 40 live rows")


def test_a_guard_for_some_rows_says_for_which() -> None:
    index = Index("uq", ("code",), "", unique=True, predicate="((status = 'open'::text) AND (code IS NOT NULL))")
    table = Table("public", "tasks", indexes=(index,))
    assert judge(_facts(10, coverage=Coverage(("uq",)), table=table)).reasons == (
        "guarded by uq (rows with status = 'open')",
    )
