"""A plan as text, without a server: word for word at two widths, and hostile names cannot move the cursor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.expected import compare
from tests.unit.plan.plans import HOSTILE, VACCINATION, hostile, plan
from vaccine.plan.locks import LockMode
from vaccine.plan.model import DuplicateGroup, Hazard, Member, Statement, Step, Vaccination
from vaccine.report.plan import plan_text

FOLDER = Path(__file__).parent / "forms"
INDEX = (
    'CREATE UNIQUE INDEX CONCURRENTLY "uq_system_issues_open_violation_hash" ON "public"."system_issues"'
    " (\"violation_hash\") WHERE status = 'open' AND violation_hash IS NOT NULL"
)
BUILD = Step("index", (Statement(INDEX, LockMode.SHARE_UPDATE_EXCLUSIVE, "once"),), "builds the index")


def group(name: str, survivor: str, *excess: str, left_out: int = 0) -> DuplicateGroup:
    rows = [Member((key,), (), (f"2026-01-{len(excess):02}", "payload " * 9, None)) for key in (survivor, *excess)]
    differs = ("last_seen_at", "payload", "a column")
    return DuplicateGroup((name,), rows[0], tuple(rows[1:]), "seen last", differs, left_out)


TWO = replace(
    VACCINATION,
    up=(Step("preflight", (), "asks all of this again"), BUILD),
    down=(Step("drop", (Statement("DROP …", LockMode.SHARE_UPDATE_EXCLUSIVE),), "drops the index"),),
    groups=(group("a1", "1", "2"), group("b2", "3", *"456789", left_out=4)),
    fingerprint=replace(VACCINATION.fingerprint, groups=3, excess_rows=13),
    hazards=(Hazard("still-live", "a row would still be live", "choose --assign", True), *VACCINATION.hazards),
    max_rows=13,
    after=("uq_system_issues_code",),
)


@pytest.mark.parametrize("width", [80, 120])
def test_a_plan_reads_so(width: int) -> None:
    text = plan_text(plan(TWO, notes=("public.tasks (code) is guarded already by u: nothing to do.",)), width)
    compare(FOLDER / f"plan_{width}.txt", text)
    assert max(map(len, text.splitlines())) <= width
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_every_statement_verbatim_when_asked_for() -> None:
    text = plan_text(plan(TWO), statements=True)
    assert f"\n{INDEX};\n" in text
    assert "-- 1. Undo, drop: ; SHARE UPDATE EXCLUSIVE, blocks neither reads nor writes" in text
    assert "DROP …" not in plan_text(plan(TWO))


@pytest.mark.parametrize("statements", [True, False])
def test_hostile_names_stay_on_their_lines(statements: bool) -> None:
    escape = "\x1b[2J\r"
    named = replace(
        hostile(), columns=(escape,), primary_key=(escape,), up=(replace(BUILD, statements=(
            Statement(INDEX + escape, LockMode.SHARE_UPDATE_EXCLUSIVE, escape),)),),
        groups=(replace(group(escape, escape, escape), differs=(escape, HOSTILE, "c")),), reasons=(escape,),
        hazards=(Hazard(escape, escape, escape),),
    )  # fmt: skip
    text = plan_text(plan(named), statements=statements)
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\\x1b[2J" in text


def test_an_empty_plan_says_so() -> None:
    assert "The plan is empty" in plan_text(replace(plan(), vaccinations=()))


@pytest.mark.parametrize(
    ("max_rows", "said"),
    [
        (13, "these rows or fewer of them; any other row stops the upgrade"),
        (99, "any 99 rows (--max-rows), whichever they are by then; more stop the upgrade"),
    ],
)
def test_the_drift_rule_is_one_line(max_rows: int, said: str) -> None:
    (line,) = [line for line in plan_text(plan(replace(TWO, max_rows=max_rows))).splitlines() if "Approves" in line]
    assert line == f"   Approves    {said}"


def test_what_is_left_out_of_a_group_is_counted() -> None:
    """Ten rows of the second group are to be resolved: five are shown."""
    text = plan_text(plan(TWO))
    assert "… and 5 more to resolve" in text
    assert "… and 1 more group: --groups 3 shows them all" in text


def test_a_vaccination_with_nothing_to_resolve() -> None:
    none: Vaccination = replace(TWO, groups=(), fingerprint=replace(TWO.fingerprint, groups=0, excess_rows=0))
    text = plan_text(plan(none))
    assert "none: only the index would be built" in text
    assert "Approves" not in text


def test_an_assignment_reads_as_sql() -> None:
    assign = (("a", False), ("b", None), ("c", 2), ("d", "it's\n"))
    assert "a = false, b = NULL, c = 2, d = 'it''s\\n'" in plan_text(plan(replace(VACCINATION, assign=assign)), 200)
