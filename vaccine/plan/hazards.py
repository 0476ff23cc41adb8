"""What the DBA must know before saying yes, and what makes a vaccination impossible. Pure.

What makes it impossible is asked by the run time's own checks (`operations.dry.ask`); here stands what is only advice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from vaccine.audit.finding import Assignment
from vaccine.operations.dry import Reason
from vaccine.plan.groups import Counted
from vaccine.plan.hazard_texts import hazard
from vaccine.plan.model import Hazard
from vaccine.plan.target import Target


@dataclass(frozen=True)
class Session:
    """A session that a concurrent index build would wait for now; `age_s` in seconds."""

    pid: int
    application: str
    username: str
    state: str
    age_s: float
    wrote: bool


@dataclass(frozen=True)
class Situation:
    """All that the hazards of one vaccination depend on."""

    target: Target
    where: str | None
    assign: Assignment
    counted: Counted
    reasons: tuple[Reason, ...]  # of the run time's checks
    wide_keys: int
    open_columns: tuple[str, ...]  # nullable key columns that the predicate does not exclude
    sessions: tuple[Session, ...]
    none_live: bool = False  # the table has rows, and none that the index would hold
    stamped: tuple[str, str] | None = None  # a trigger, and the column of the survivor order that it may stamp
    random: tuple[str, ...] = ()  # the columns of a survivor order that is chance
    prepared: tuple[tuple[str, str], ...] = ()  # prepared transactions on the table, and what ends each


def hazards(of: Situation) -> tuple[Hazard, ...]:
    """The blocking hazards first, then the others, each once."""
    asked = [Hazard(**asdict(reason)) for reason in of.reasons]
    found = [*asked, *_index(of), *_rows(of), *_sessions(of)]
    return tuple(sorted(found, key=lambda each: not each.blocking))


def _index(of: Situation) -> Iterator[Hazard]:
    if of.none_live:
        yield hazard("guards-nothing")
    if of.wide_keys:
        yield hazard("wide-keys", rows=of.wide_keys)
    if of.open_columns:
        yield hazard("null-hole", columns=", ".join(of.open_columns))
    assigned = {name for name, _ in of.assign}
    read_already = {name for index in of.target.indexes for name in index.reads}
    newly_read = sorted(name for name in assigned - read_already if of.where and name in of.where)
    if newly_read:
        yield hazard("non-hot-updates", columns=", ".join(newly_read))
    yield from _followers(of, assigned)


def _followers(of: Situation, assigned: set[str]) -> Iterator[Hazard]:
    if any(reason.code in {"carried-on", "row-in-use"} for reason in of.reasons):
        return
    for each in of.target.followers:
        columns = sorted(assigned & set(each.columns))
        if columns:
            code = "cascade" if each.on_update == "c" else "referred-to"
            yield hazard(code, name=each.name, source=each.source, columns=", ".join(columns))


def _rows(of: Situation) -> Iterator[Hazard]:
    if not of.counted.excess_rows:
        return
    firing = [trigger.name for trigger in of.target.triggers if trigger.on_update and trigger.enabled in {"O", "A"}]
    if firing:
        yield hazard("triggers", triggers=", ".join(firing))
    if of.stamped:
        yield hazard("stamped-order", trigger=of.stamped[0], column=of.stamped[1])
    if of.random:
        yield hazard("random-order", columns=", ".join(of.random))
    if of.target.published:
        yield hazard("published")


def _sessions(of: Situation) -> Iterator[Hazard]:
    asked = any(reason.code == "prepared" for reason in of.reasons)
    for what, remedy in () if asked else of.prepared:
        yield hazard("prepared", what=what, remedy=remedy)
    for each in of.sessions:
        why = "has written the table and not committed" if each.wrote else "holds a snapshot"
        yield hazard(
            "waits-for", pid=each.pid, application=each.application, username=each.username, state=each.state,
            why=why, age=each.age_s,
        )  # fmt: skip
