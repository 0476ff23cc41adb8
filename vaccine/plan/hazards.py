"""What the DBA must know before saying yes, and what makes a vaccination impossible. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vaccine.audit.finding import Assignment
from vaccine.operations.dry import MOST_COLUMNS, CarriedOn
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
    columns: tuple[str, ...]
    where: str | None
    assign: Assignment
    index_name: str
    name_taken_by: str | None
    counted: Counted
    stays_live: bool
    wide_keys: int
    open_columns: tuple[str, ...]  # nullable key columns that the predicate does not exclude
    sessions: tuple[Session, ...]
    stamped: tuple[str, str] | None = None  # a trigger, and the column of the survivor order that it may stamp
    random: tuple[str, ...] = ()  # the columns of a survivor order that is chance
    prepared: tuple[tuple[str, str], ...] = ()  # prepared transactions on the table, and what ends each
    in_recovery: bool = False
    carried: tuple[CarriedOn, ...] = ()  # foreign keys that carry the assignment on to rows that no journal keeps


def hazards(of: Situation) -> tuple[Hazard, ...]:
    """The blocking hazards first, then the others, each once."""
    found = [*_impossible(of), *_rights(of), *_retiring(of), *_index(of), *_rows(of), *_sessions(of)]
    return tuple(sorted(found, key=lambda each: not each.blocking))


def _impossible(of: Situation) -> Iterator[Hazard]:
    target = of.target
    if target.kind == "p" or target.is_partition:
        yield hazard("partitioned")
    elif target.has_children:
        yield hazard("inheritance")
    if target.persistence == "t":
        yield hazard("temporary")
    if not target.primary_key and of.counted.excess_rows:
        yield hazard("no-primary-key")
    if len(target.columns) > MOST_COLUMNS:
        yield hazard("too-many-columns", count=len(target.columns), most=MOST_COLUMNS)
    if target.published and target.replica_identity in {"n", "d"} and not target.primary_key:
        yield hazard("replica-identity")
    if of.name_taken_by:
        yield hazard("name-taken", name=of.index_name, by=of.name_taken_by)


def _rights(of: Situation) -> Iterator[Hazard]:
    target = of.target
    if target.row_security:
        yield hazard("row-security")
    if not target.is_owner or not target.may_create:
        yield hazard("not-owner", owner=target.owner)
    if not target.has_vaccine_schema and not target.may_create_schema and of.counted.excess_rows:
        yield hazard("no-create-schema")
    if of.in_recovery:
        yield hazard("standby")


def _retiring(of: Situation) -> Iterator[Hazard]:
    if not of.counted.excess_rows:
        return
    if not of.assign:
        yield hazard("no-way-to-retire")
    elif of.stays_live:
        yield hazard("still-live", columns=", ".join(name for name, _ in of.assign))
    for name, _ in of.assign:
        column = of.target.by_name.get(name)
        if column is not None and (column.generated or column.identity == "a"):
            yield hazard("generated-column", column=name)


def _index(of: Situation) -> Iterator[Hazard]:
    if of.wide_keys:
        yield hazard("wide-keys", rows=of.wide_keys)
    if of.open_columns:
        yield hazard("null-hole", columns=", ".join(of.open_columns))
    assigned = {name for name, _ in of.assign}
    read_already = {name for index in of.target.indexes for name in index.reads}
    newly_read = sorted(name for name in assigned - read_already if of.where and name in of.where)
    if newly_read:
        yield hazard("non-hot-updates", columns=", ".join(newly_read))
    if of.counted.excess_rows:
        for index in of.target.indexes:
            if index.is_unique and assigned & set(index.reads):
                yield hazard("collision", index=index.name)
    yield from _followers(of, assigned)


def _followers(of: Situation, assigned: set[str]) -> Iterator[Hazard]:
    for lost in of.carried:
        yield hazard("carried-on", name=lost.name, source=lost.source, action=lost.action,
                     columns=f"{lost.columns} of {lost.referred}")  # fmt: skip
    carried = {(each.name, each.source) for each in of.carried}
    for each in of.target.followers:
        columns = sorted(assigned & set(each.columns))
        if columns and (each.name, each.source) not in carried:
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
    if of.target.inbound_foreign_keys:
        yield hazard("references", count=of.target.inbound_foreign_keys)
    if of.target.published:
        yield hazard("published")


def _sessions(of: Situation) -> Iterator[Hazard]:
    for what, remedy in of.prepared:
        yield hazard("prepared", what=what, remedy=remedy)
    for each in of.sessions:
        why = "has written the table and not committed" if each.wrote else "holds a snapshot"
        yield hazard(
            "waits-for", pid=each.pid, application=each.application, username=each.username, state=each.state,
            why=why, age=each.age_s,
        )  # fmt: skip
