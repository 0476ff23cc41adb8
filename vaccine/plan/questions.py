"""What only a person can decide, and has not yet: it blocks a vaccination, with the option that settles it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from vaccine.audit.finding import Finding, OpenQuestion, Priority
from vaccine.plan.groups import Counted
from vaccine.plan.model import Hazard
from vaccine.plan.request import Choices

READ_ONE_BY_ONE = 20  # rows that would be resolved: up to here the plan lists each, and a person reads them
MANY_ROWS = 1_000
MANY_SHARE = 0.05  # of the live rows
UNCLEAR = (Priority.DECIDE, Priority.INTENTIONAL, Priority.LOG)


def open_questions(finding: Finding, choices: Choices, counted: Counted) -> Iterator[Hazard]:
    """The audit's questions that no option answers, and the number of rows where it must be repeated."""
    lifecycle = finding.lifecycle
    for question in lifecycle.questions if lifecycle else ():
        if not _answered(question, choices) and (counted.excess_rows or question.about == "key"):
            yield Hazard("decide", question.text, _way(question), blocking=True)
    why = _many(finding, counted)
    if why and choices.max_rows is None:
        yield Hazard(
            "many-rows",
            f"{counted.excess_rows:,} rows would be resolved: {why}",
            f"read the groups, then repeat the number: --max-rows {counted.excess_rows}",
            blocking=True,
        )


def _answered(question: OpenQuestion, choices: Choices) -> bool:
    return {
        "where": choices.where is not None,
        "key": choices.where is not None,
        "assign": choices.assign is not None,
        "survivor": bool(choices.survivor or choices.keep),
    }[question.about]


def _way(question: OpenQuestion) -> str:
    return "say which: " + " or ".join(question.options)


def _many(finding: Finding, counted: Counted) -> str:
    """Why the number must be repeated; empty where it need not be."""
    rows = counted.excess_rows
    if rows and finding.priority in UNCLEAR:
        return f"a key that the audit calls {finding.priority}, which may repeat by right"
    live = dict(finding.details).get("live_rows")
    if rows > MANY_ROWS:
        return f"more than {MANY_ROWS:,}"
    if rows > READ_ONE_BY_ONE and isinstance(live, int) and rows > MANY_SHARE * live:
        return f"{rows / max(live, 1):.0%} of the live rows"
    return ""
