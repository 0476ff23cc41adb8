"""Plans to test with, made by hand."""

from dataclasses import replace
from typing import Any

from vaccine.audit.finding import Expression
from vaccine.plan.file import with_id
from vaccine.plan.locks import LockMode
from vaccine.plan.model import DuplicateGroup, Estimate, Fingerprint, Hazard, Member, Plan, Statement, Step, Vaccination

HOSTILE = 'we"ird %s {x}\n"""; import os #\\ é'

VACCINATION = Vaccination(
    schema="public",
    table="system_issues",
    columns=("violation_hash",),
    where="status = 'open' AND violation_hash IS NOT NULL",
    index_name="uq_system_issues_open_violation_hash",
    survivor=("last_seen_at DESC NULLS LAST", "id DESC"),
    assign=(("status", "resolved"), ("resolved_at", Expression("now()"))),
    keep=(),
    max_rows=1,
    gate="auto",
    primary_key=("id",),
    priority="high",
    reasons=("1 live duplicate group",),
    rows=165,
    distinct=148,
    groups=(
        DuplicateGroup(
            ("44815e74c3d0f846",), Member(("3896",), ("b", "3896")), (Member(("3994",), ("a", "3994")),), "seen last"
        ),
    ),
    up=(Step("index", (Statement("CREATE …", LockMode.SHARE_UPDATE_EXCLUSIVE, "once"),), "note"),),
    down=(Step("drop", ()),),
    hazards=(Hazard("triggers", "it fires t"),),
    estimate=Estimate(1, 2, 3, 4, 5, 6, 7, ("measured",)),
    afterwards=("a duplicate fails with 23505",),
    fingerprint=Fingerprint("abc", 1, 1, ((("3896",), ("3994",)),)),
)


def plan(*vaccinations: Vaccination, **changes: Any) -> Plan:
    made = Plan("", "2026-11-23 14:02:00 UTC", "0.1.0", "18.6", "directus", "dba", vaccinations or (VACCINATION,))
    return with_id(replace(made, **changes))


def hostile() -> Vaccination:
    return replace(
        VACCINATION,
        schema=HOSTILE,
        table=HOSTILE + "t",
        columns=(HOSTILE + "c",),
        where='"we""ird %s {x}" = \'it\'\'s """\'',
        index_name=HOSTILE + "i",
        assign=((HOSTILE, "'; DROP TABLE x; --"),),
        keep=((HOSTILE,),),
    )
