"""A plan as text for a DBA: what must be decided, in the order in which it would happen; its SQL when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from psycopg import sql

from vaccine.audit.finding import Expression, Scalar
from vaccine.plan.locks import LockMode
from vaccine.plan.model import Hazard, Plan, Step, Vaccination
from vaccine.report.layout import labelled, stripped, wrapped
from vaccine.report.plan_groups import group_lines
from vaccine.text import one_line

INDENT = "   "
REASONS_SHOWN = 1
WAITS = {  # in short, who waits for a step's lock
    LockMode.ROW_EXCLUSIVE: "only writers of these rows wait",
    LockMode.SHARE_UPDATE_EXCLUSIVE: "VACUUM, ANALYZE, DDL wait",
}


def plan_text(plan: Plan, width: int = 100, *, statements: bool = False) -> str:
    """The plan, its prose wrapped at `width` columns; with `statements`, every statement verbatim."""
    lines = list(stripped(_plan(plan, width)))
    if statements:
        lines += [line for number, each in enumerate(plan.vaccinations, 1) for line in _statements(number, each)]
    return "\n".join(lines) + "\n"


def _plan(plan: Plan, width: int) -> Iterator[str]:
    yield from wrapped(
        f"Plan {plan.id} for {plan.database} as {plan.role} (PostgreSQL {plan.server_version}), made {plan.made_at}. "
        "Nothing was changed.", width,
    )  # fmt: skip
    for note in plan.notes:
        yield from wrapped(note, width, "- ")
    if not plan.vaccinations:
        yield "The plan is empty: there is nothing to vaccinate."
    for number, each in enumerate(plan.vaccinations, 1):
        yield ""
        yield from _vaccination(number, each, width)


def _vaccination(number: int, of: Vaccination, width: int) -> Iterator[str]:
    yield from wrapped(f"{number}. {of.schema}.{of.table} ({', '.join(of.columns)})   {of.priority.upper()}", width)
    for reason in of.reasons[:REASONS_SHOWN]:
        yield from wrapped(reason, width, f"{INDENT}- ")
    yield from _blocked(of, width)
    yield ""
    yield from _rows(of, width)
    yield ""
    yield from _steps("Upgrade", of.up, width)
    yield ""
    for place, line in enumerate(_sql(_index(of, width))):
        yield f"{INDENT}{'  ' if place else ''}{line.strip()}"
    yield ""
    yield from _hazards([each for each in of.hazards if not each.blocking], width)
    yield from _estimate(of, width)
    for place, line in enumerate(of.afterwards):
        yield from labelled("" if place else "Writers", line, width)
    yield from _undo(of, width)


def _blocked(of: Vaccination, width: int) -> Iterator[str]:
    if not of.blocked:
        return
    yield ""
    yield f"{INDENT}BLOCKED: this cannot become a revision as things are"
    for each in of.blocked:
        yield from _reason(each, width, "! ")


def _rows(of: Vaccination, width: int) -> Iterator[str]:
    counts = of.fingerprint
    yield from labelled("Live rows", of.where or "all", width)
    if of.after:
        yield from labelled("", f"as they are once {' and '.join(of.after)} of this plan is upgraded", width)
    if not counts.excess_rows:
        yield from labelled("Duplicates", "none: only the index would be built", width)
        return
    total = "" if of.rows is None else f" of {of.rows:,}"
    yield from labelled(
        "Duplicates", f"{_count(counts.groups, 'group')}, {_count(counts.excess_rows, 'row')}{total} to resolve", width
    )
    yield from labelled("Approves", _approval(of), width)
    if of.assign:
        yield from labelled("Resolve by", ", ".join(f"{name} = {_value(value)}" for name, value in of.assign), width)
    yield from labelled("Stays", f"of each group the first by {', '.join(of.survivor)}", width)
    yield ""
    yield from group_lines(of, width)
    hidden = counts.groups - len(of.groups)
    if hidden > 0:
        yield from wrapped(
            f"… and {_count(hidden, 'more group')}: --groups {counts.groups} shows them all", width, INDENT
        )


def _approval(of: Vaccination) -> str:
    """The drift rule, in one line."""
    if of.max_rows == of.fingerprint.excess_rows:
        return "these rows or fewer of them; any other row stops the upgrade"
    return f"any {of.max_rows:,} rows (--max-rows), whichever they are by then; more stop the upgrade"


def _steps(title: str, steps: tuple[Step, ...], width: int) -> Iterator[str]:
    worth = [each for each in steps if {one.lock for one in each.statements} != {LockMode.ACCESS_SHARE}]
    for number, step in enumerate(worth, 1):
        locks = [each.lock for each in step.statements]
        strongest = max(locks, key=list(LockMode).index) if locks else None
        lock = f" ({strongest}: {WAITS.get(strongest, strongest.blocks)})" if strongest else ""
        yield from labelled(title if number == 1 else "", f"{number}. {step.note}{lock}", width)


def _index(of: Vaccination, width: int) -> str:
    """The statement that builds the index, as it is sent; where it is too wide, broken before its ON and its WHERE."""
    statement = next((each.sql for step in of.up if step.title == "index" for each in step.statements), "")
    if len(statement) + len(INDENT) < width:
        return statement
    quoted = of.index_name.replace('"', '""')
    first = f'CREATE UNIQUE INDEX CONCURRENTLY "{quoted}" '
    where = f" WHERE {of.where}" if of.where else ""
    if not statement.startswith(first) or not statement.endswith(where):
        return statement
    middle = statement.removeprefix(first).removesuffix(where)
    return "\n".join(filter(None, (first.rstrip(), middle, where.lstrip())))


def _sql(text: str) -> Iterator[str]:
    """A statement as it is sent, not wrapped: a line break inside a literal would change it."""
    return (one_line(line.expandtabs()) for line in f"{text};".split("\n"))


def _hazards(hazards: list[Hazard], width: int) -> Iterator[str]:
    if not hazards:
        yield from labelled("Hazards", "none known", width)
        return
    yield f"{INDENT}Hazards"
    for _, alike in groupby(hazards, lambda each: (each.code, each.fix)):
        *others, last = alike
        for each in others:
            yield from _reason(replace(each, fix=""), width, "- ")
        yield from _reason(last, width, "- ")


def _reason(of: Hazard, width: int, mark: str) -> Iterator[str]:
    yield from wrapped(f"{of.text} [{of.code}]", width, INDENT + mark)
    if of.fix:
        yield from wrapped(of.fix, width, f"{INDENT}  → ")


def _estimate(of: Vaccination, width: int) -> Iterator[str]:
    figures = of.estimate
    parts = [f"{_time(figures.index_ms)} to build"]
    if figures.dedupe_ms:
        parts = [f"{_time(figures.dedupe_ms)} to resolve", *parts, f"{_time(figures.restore_ms)} to restore"]
    yield from labelled("Time", f"about {', '.join(parts)}, and waits", width)
    yield from labelled(
        "Disk",
        f"index {_size(figures.index_bytes)}, journal {_size(figures.journal_bytes)}, "
        f"WAL {_size(figures.wal_bytes)}; table {_size(figures.table_bytes)}, {figures.tablespace}",
        width,
    )


def _undo(of: Vaccination, width: int) -> Iterator[str]:
    yield from _steps("Undo", of.down, width)
    yield from labelled("", "vaccine revision prints the command; vaccine undo --check first", width)


def _statements(number: int, of: Vaccination) -> Iterator[str]:
    """Every statement of both ways, verbatim, with what it is for and its lock."""
    for title, steps in (("Upgrade", of.up), ("Undo", of.down)):
        for step in steps:
            for each in step.statements:
                yield ""
                yield one_line(f"-- {number}. {title}, {step.title}: {each.note}; {each.lock}, {each.lock.blocks}")
                yield from _sql(each.sql)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _value(of: Scalar | Expression) -> str:
    if isinstance(of, Expression):
        return of.sql
    return one_line(sql.Literal(of).as_string(None).strip())


def _time(ms: int) -> str:
    if ms < 1000:
        return f"{max(ms, 1)} ms"
    return f"{ms / 1000:.1f} s" if ms < 120_000 else f"{ms / 60_000:.0f} min"


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"
