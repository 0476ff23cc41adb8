"""A plan as text for a DBA: everything that would happen, in the order in which it would."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator

from vaccine.audit.finding import Expression, Scalar
from vaccine.plan.model import DuplicateGroup, Plan, Step, Vaccination

INDENT = "  "


def plan_text(plan: Plan, width: int | None = None) -> str:
    """The whole plan, its prose wrapped at `width` columns: the terminal's, at most 110; 100 without one."""
    columns = width or (min(shutil.get_terminal_size().columns, 110) if sys.stdout.isatty() else 100)
    return "\n".join(line.rstrip() for line in _plan(plan, columns)) + "\n"


def _plan(plan: Plan, width: int) -> Iterator[str]:
    yield (
        f"Plan {plan.id} for {plan.database} as {plan.role} (PostgreSQL {plan.server_version}), made {plan.made_at}. "
        "Nothing was changed."
    )
    for note in plan.notes:
        yield from _wrapped(note, width)
    if not plan.vaccinations:
        yield "The plan is empty: there is nothing to vaccinate."
    for number, each in enumerate(plan.vaccinations, 1):
        yield ""
        yield from _vaccination(number, each, width)


def _vaccination(number: int, of: Vaccination, width: int) -> Iterator[str]:
    yield f"{number}. {of.schema}.{of.table} ({', '.join(of.columns)})   {of.priority.upper()}"
    yield f"   live rows: {'WHERE ' + of.where if of.where else 'all'}"
    for reason in of.reasons:
        yield from _wrapped(f"- {reason}", width, "   ")
    if of.blocked:
        yield ""
        yield "   BLOCKED: this cannot become a revision as things are"
        for hazard in of.blocked:
            yield from _wrapped(f"! {hazard.text} [{hazard.code}]", width, "   ")
            yield from _wrapped(f"fix: {hazard.fix}", width, "     ")
    yield from _rows(of, width)
    yield from _section("What would run (alembic upgrade)", _steps(of.up, width))
    yield from _section("Hazards", _hazards(of, width))
    yield from _section("Time and disk", _estimate(of, width))
    yield from _section("Afterwards, for the writers", _lines(of.afterwards, width))
    yield from _section("How it is undone (alembic downgrade)", _steps(of.down, width))


def _rows(of: Vaccination, width: int) -> Iterator[str]:
    counts = of.fingerprint
    if not counts.excess_rows:
        yield from _section("Duplicates", iter(["   none: only the index would be built"]))
        return
    title = (
        f"Duplicates: {counts.groups:,} group(s), {counts.excess_rows:,} row(s) to resolve (at most {of.max_rows:,})"
    )
    yield from _section(title, _groups(of, width))


def _groups(of: Vaccination, width: int) -> Iterator[str]:
    if of.assign:
        assignments = ", ".join(f"{name} = {_value(value)}" for name, value in of.assign)
        yield from _wrapped(f"a row is resolved by: {assignments}", width, "   ")
    yield from _wrapped(f"the survivor of a group is the first by: {', '.join(of.survivor)}", width, "   ")
    for group in of.groups:
        yield from _group(group, of, width)
    hidden = of.fingerprint.groups - len(of.groups)
    if hidden > 0:
        yield f"   … and {hidden:,} more group(s): --groups {of.fingerprint.groups} shows them all"


def _group(group: DuplicateGroup, of: Vaccination, width: int) -> Iterator[str]:
    key = ", ".join(f"{name} = {value}" for name, value in zip(of.columns, group.key, strict=True))
    yield from _wrapped(_flat(key), width, "   ")
    yield from _wrapped(f"keep    {_row(group.survivor.primary_key, of)}   {_flat(group.reason)}", width, "     ")
    for member in group.excess:
        yield from _wrapped(f"resolve {_row(member.primary_key, of)}", width, "     ")
    if group.differs:
        yield from _wrapped(f"the rows differ in: {', '.join(group.differs)}", width, "     ")


def _row(primary_key: tuple[str, ...], of: Vaccination) -> str:
    return _flat(", ".join(f"{name} {value}" for name, value in zip(of.primary_key, primary_key, strict=True)))


def _steps(steps: tuple[Step, ...], width: int) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        yield from _wrapped(
            f"{number}. {step.title}: {step.note}" if step.note else f"{number}. {step.title}", width, "   "
        )
        for statement in step.statements:
            yield from _wrapped(f"-- {statement.note}: {statement.lock}, {statement.lock.blocks}", width, "      ")
            yield from _sql(statement.sql)


def _sql(text: str) -> Iterator[str]:
    """A statement, not wrapped: a line break inside a literal would change it. Its own breaks are kept, indented."""
    for number, line in enumerate(f"{text};".splitlines()):
        yield f"{'      ' if number == 0 else '        '}{line.strip()}"


def _hazards(of: Vaccination, width: int) -> Iterator[str]:
    others = [hazard for hazard in of.hazards if not hazard.blocking]
    if not others:
        yield "   none known"
    for hazard in others:
        yield from _wrapped(f"- {hazard.text} [{hazard.code}]", width, "   ")
        if hazard.fix:
            yield from _wrapped(hazard.fix, width, "     ")


def _estimate(of: Vaccination, width: int) -> Iterator[str]:
    figures = of.estimate
    yield from _wrapped(
        f"about {_time(figures.dedupe_ms)} to resolve, {_time(figures.index_ms)} to build, "
        f"{_time(figures.restore_ms)} to restore; the table has {_size(figures.table_bytes)}",
        width,
        "   ",
    )
    yield from _wrapped(
        f"disk: about {_size(figures.index_bytes)} for the index, {_size(figures.journal_bytes)} for the journal, "
        f"{_size(figures.wal_bytes)} of WAL",
        width,
        "   ",
    )
    for basis in figures.basis:
        yield from _wrapped(f"({basis})", width, "   ")


def _lines(lines: tuple[str, ...], width: int) -> Iterator[str]:
    for line in lines:
        yield from _wrapped(f"- {line}", width, "   ")


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield ""
    yield f"   {title}"
    for line in lines:
        yield INDENT + line


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    hang = indent + ("  " if text.startswith(("- ", "! ")) else "    ")
    room = max(width - len(INDENT), 40)
    return textwrap.wrap(
        text, room, initial_indent=indent, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False
    )


def _flat(text: str) -> str:
    """Control characters of a name or a value as escapes: what is printed must not move the cursor."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _value(of: Scalar | Expression) -> str:
    if isinstance(of, Expression):
        return of.sql
    return "NULL" if of is None else repr(of)


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
