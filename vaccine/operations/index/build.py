"""The unique index, built CONCURRENTLY under live traffic: whatever state an earlier run left is recognised, repaired.

Duplicates that arrive between the dedupe and the index make a build fail. One that failed in its validation
enforces already: it is kept as a guard and repaired by REINDEX. After three failed builds, or at once where
the plan says so, the gate keeps new duplicates out, and one more build is enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from psycopg import errors, sql

from ..errors import BlockedError, BuildError, OperationError, PreflightError, RestoreError
from ..key import Key
from ..session.blockers import duration, to_see, who_would_block
from ..session.mutex import LOST, lost
from ..session.run import Run
from .clean import cleaned, drop, drop_leftovers
from .gate import put_up, take_down
from .states import IndexState, index_state, index_statement, same_meaning
from .watch import Budget, OverBudgetError, run_alone, wait_for_present

__all__ = ["IndexOutcome", "IndexState", "build_unique_index", "drop_unique_index", "index_state", "index_statement",
           "same_meaning"]  # fmt: skip

POLL_S = 0.1
BUILDS_BEFORE_GATE = 3

# Somebody else made or dropped the index between our look and our statement, or two builds met: look again.
_CHANGED = (errors.DuplicateTable, errors.UndefinedTable, errors.UndefinedObject, errors.DeadlockDetected)


@dataclass(frozen=True)
class IndexOutcome:
    """What a build did. `builds` is 0 when the index was there; `resolved` counts late duplicates; times in seconds."""

    builds: int
    resolved: int
    gated: bool
    waited_s: float
    built_s: float


@dataclass
class _Work:
    """One build in progress, all tries together."""

    name: str
    key: Key
    resolve: Callable[[], int]
    gate: str
    budget: Budget
    builds: int = 0
    resolved: int = 0
    gated: bool = False
    looks: int = field(default=0)


def build_unique_index(
    run: Run, name: str, key: Key, *, resolve: Callable[[], int], gate: str = "auto"
) -> IndexOutcome:
    """Build the index, or finish what an earlier run began; returns when it is valid and nothing else is left.

    `resolve` resolves the live duplicates of now under the approved policy and returns their number. Whatever
    stops the build (Ctrl-C too), it is cancelled, the gate taken down and an INVALID index dropped.

    Raises:
        PreflightError: the name belongs to something else.
        BlockedError: other sessions held the build up longer than `wait_s`, or it took longer than `build_s`.
        BuildError: it failed as often as it may, or for another reason.
        LockTimeoutError: the gate's trigger did not get its lock.
        DriftedError: from `resolve`, more duplicates than approved.
    """
    chosen = gate if run.options.gate == "auto" else run.options.gate
    work = _Work(name, key, resolve, chosen, Budget(run.options.wait_s, run.options.build_s))
    try:
        take_down(run, key, work.budget)  # of a run that was killed
        _until_valid(run, work)
        drop_leftovers(run, name, key, work.budget)
        take_down(run, key, work.budget)
    except OverBudgetError as over:
        raise _blocked(run, work, over, cleaned(run, name, key)) from None
    except psycopg.Error as error:
        told = cleaned(run, name, key)
        raise BuildError(
            f"{name} on {key} was not built{told}",
            why=f"{' / '.join(str(error).split(chr(10)))} ({error.sqlstate or 'the connection was lost'})",
            fix=f"{LOST if lost(run) else 'remove the cause'}, then run the same command again",
        ) from error
    except KeyboardInterrupt:
        run.stop.begin("Ctrl-C")
        run.stop.left += cleaned(run, name, key)
        raise
    except BaseException as error:
        told = cleaned(run, name, key)
        if isinstance(error, OperationError) and told:
            error.fix += told
        raise
    return IndexOutcome(work.builds, work.resolved, work.gated, work.budget.waited, work.budget.worked)


def drop_unique_index(run: Run, name: str, key: Key, oid: int | None = None) -> bool:
    """Drop the index, what a REINDEX left beside it, and a gate of a killed run; False when there was no index.

    One that was renamed is known by its `oid`, as the upgrade recorded it.

    Raises:
        RestoreError: nothing has the name, and another index has the very definition: rows could not go back over it.
        PreflightError: the name belongs to something else, which was left alone.
        BlockedError: other sessions held it up longer than `wait_s`.
        LockTimeoutError: the gate's trigger did not get its lock.
    """
    budget = Budget(run.options.wait_s)
    work = _Work(name, key, lambda: 0, "never", budget)
    try:
        take_down(run, key, budget)
        state = index_state(run.worker, name, key)
        while state.kind == "building":
            _wait_for_builder(run, work, state)
            state = index_state(run.worker, name, key)
        if state.kind == "other":
            raise _taken(name, state)
        drop_leftovers(run, name, key, budget)
        if state.kind == "absent":
            return _drop_renamed(run, name, key, oid, budget)
        drop(run, name, key, budget)
    except OverBudgetError as over:
        raise _drop_blocked(run, name, over) from None
    return True


def _drop_renamed(run: Run, name: str, key: Key, oid: int | None, budget: Budget) -> bool:
    """Drop the index under the name that it has now; False where there is none of its definition."""
    others = same_meaning(run.worker, key)
    if not others:
        return False
    renamed = run.worker.execute(
        "SELECT relname::text FROM pg_catalog.pg_class WHERE oid = %s AND relname = ANY (%s)", (oid, list(others))
    ).fetchone()
    if renamed is not None:
        run.say(f"{name} is called {renamed[0]} now: dropping it under that name")
        drop(run, renamed[0], key, budget)
        return True
    raise RestoreError(
        f"there is no index {name}, and {', '.join(others)} on {key} has its very definition; nothing was changed",
        why="it was renamed and rebuilt since, or somebody else made it: over it no row could go back",
        fix=f"if it is the one: ALTER INDEX … RENAME TO {name}; if it is not, DROP INDEX CONCURRENTLY; then run the "
        "same command again",
    )


def _until_valid(run: Run, work: _Work) -> None:
    """Look at what is there and take the next step, until the index is valid. Every step is counted."""
    while True:
        state = index_state(run.worker, work.name, work.key)
        if state.kind == "valid":
            return
        if state.kind == "other":
            raise _taken(work.name, state)
        if state.kind == "building":
            _wait_for_builder(run, work, state)
            continue
        if work.builds >= max(1, run.options.builds):
            raise BuildError(
                f"{work.name} on {work.key} could not be built: {work.builds} builds failed",
                why="duplicates kept arriving between the dedupe and the index"
                + (", through writers that bypass the gate (session_replication_role)" if work.gated else ""),
                fix="run it again with -x vaccine.gate=always, or with more -x vaccine.builds=…",
            )
        if not work.gated and _gate_is_due(work):
            put_up(run, work.name, work.key, work.budget)
            work.gated = True
            work.resolved += work.resolve()
        try:
            _step(run, work, state)
        except _CHANGED as error:
            work.looks += 1
            if work.looks > max(1, run.options.builds):
                raise
            run.say(f"{work.name}: {str(error).splitlines()[0]}; looking again")
            time.sleep(POLL_S)


def _gate_is_due(work: _Work) -> bool:
    return work.gate == "always" or (work.gate == "auto" and work.builds >= BUILDS_BEFORE_GATE)


def _step(run: Run, work: _Work, state: IndexState) -> None:
    """One build or repair. A leftover that enforces nothing is dropped; one that does is kept and repaired."""
    name, key = work.name, work.key
    drop_leftovers(run, name, key, work.budget)
    if state.kind == "invalid_not_ready":
        run.say(f"{name} is an INVALID leftover that enforces nothing: dropping it")
        drop(run, name, key, work.budget)
    if state.kind == "invalid_ready":
        run.say(f"{name} is an INVALID leftover that already refuses new duplicates: keeping it, and repairing it")
        work.resolved += work.resolve()
        statement, verb = sql.SQL("REINDEX INDEX CONCURRENTLY {}").format(sql.Identifier(key.schema, name)), "repair"
    else:
        statement, verb = index_statement(name, key), "build"
    wait_for_present(run, f"{verb} {name}", work.budget, lambda: who_would_block(run.worker, key))
    work.builds += 1
    try:
        run_alone(run, statement, f"{verb} {name}", work.budget)
    except errors.UniqueViolation:
        run.say(f"duplicates arrived before build {work.builds} of {name} had ended: resolving them")
        work.resolved += work.resolve()


def _wait_for_builder(run: Run, work: _Work, state: IndexState) -> None:
    """Wait for another backend that builds the index: the server goes on building when a run's client died."""
    run.say(f"{work.name} is being built by pid {state.pid}: waiting for it")
    while index_state(run.worker, work.name, work.key).kind == "building":
        if work.budget.over:
            raise BlockedError(
                f"{work.name} is being built by another session, pid {state.pid}; this run has not touched it",
                why=f"it did not end within vaccine.wait_s = {run.options.wait_s} s",
                fix=f"wait for it, or end it with SELECT pg_terminate_backend({state.pid}), then run the same "
                "command again: it takes over whatever is left",
            )
        time.sleep(POLL_S)
        work.budget.spend(POLL_S, waiting=True)


def _taken(name: str, state: IndexState) -> PreflightError:
    return PreflightError(
        f"the name {name} belongs to something else, which was left alone",
        why=f"it is {state.description}",
        fix="drop or rename that, or change the name in the revision, then run the same command again",
    )


def _blocked(run: Run, work: _Work, over: OverBudgetError, told: str) -> BlockedError:
    limit = run.options.wait_s if over.over == "vaccine.wait_s" else run.options.build_s
    return BlockedError(
        f"{work.name} on {work.key} was not built: {over.over} = {duration(limit)} is used up{told}",
        why=over.why,
        fix=_remedy(over) + f"; -x {over.over}=… allows more time",
    )


def _drop_blocked(run: Run, name: str, over: OverBudgetError) -> BlockedError:
    if over.left_running is None:
        what = (
            f"{name} was not dropped: vaccine.wait_s = {duration(run.options.wait_s)} is used up; nothing was changed"
        )
    else:
        what = f"{name} is not dropped yet: the server (pid {over.left_running}) ends it once the others have left"
    return BlockedError(what, why=over.why, fix=_remedy(over) + "; -x vaccine.wait_s=… waits longer")


def _remedy(over: OverBudgetError) -> str:
    ends = " or ".join(dict.fromkeys(each.remedy for each in over.blockers[:3]))
    again = f"let it end, or end it ({ends}), then run the same command again" if ends else "run the same command again"
    return again + to_see(over.why)
