"""Conditions, how they read as SQL, and which follow from which."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
# Words that a column's name must be quoted for (manual, appendix C: reserved, or reserved for types and functions).
_RESERVED = frozenset(
    """
    analyse analyze as asc asymmetric authorization between bigint binary bit boolean both cast char character check
    coalesce collate collation column concurrently constraint create cross current_date current_role current_time
    current_timestamp current_user dec decimal default deferrable desc distinct do else end except exists extract
    fetch float for foreign freeze from full grant greatest group grouping having ilike initially inner inout int
    integer intersect interval into isnull join lateral leading least left limit localtime localtimestamp national
    natural nchar none normalize notnull nullif numeric offset on only order out outer overlaps overlay placing
    position precision primary real references returning right row select session_user setof similar smallint some
    substring symmetric table tablesample then time timestamp to trailing treat trim union unique user using values
    varchar variadic verbose when where window with xmlattributes
    """.split()  # noqa: SIM905  a list of these words would be a column of 110 lines
)


@lru_cache(maxsize=8192)
def quote(name: str) -> str:
    """A column name as SQL needs it: quoted only where it must be."""
    if _PLAIN.fullmatch(name) and name not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text literal, in the form that `parse` gives too."""
    return "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a conjunction.

    `kind`: "in", "not in", "null", "not null", "true", "false", "not true", or "sql" for any other,
    whose `text` is its normalised SQL. `values` are literals as SQL writes them.
    """

    kind: str
    column: str = ""
    values: tuple[str, ...] = ()
    text: str = ""

    def __str__(self) -> str:
        name = quote(self.column)
        if self.kind in {"in", "not in"}:
            if len(self.values) == 1:
                return f"{name} {'=' if self.kind == 'in' else '<>'} {self.values[0]}"
            return f"{name} {self.kind.upper()} ({', '.join(self.values)})"
        forms = {
            "null": f"{name} IS NULL",
            "not null": f"{name} IS NOT NULL",
            "true": name,
            "false": f"NOT {name}",
            "not true": f"{name} IS NOT TRUE",
        }
        return forms.get(self.kind, self.text)


Predicate = tuple[Condition, ...]


def render(predicate: Iterable[Condition]) -> str | None:
    """The predicate as readable SQL; None when it is empty."""
    conditions = list(predicate)
    return " AND ".join(_bracketed(condition, alone=len(conditions) == 1) for condition in conditions) or None


def implies(given: Predicate, wanted: Predicate, not_null: Collection[str] = ()) -> bool | None:
    """Does every row that satisfies `given` satisfy `wanted`? None when text cannot tell.

    `not_null` names columns that never hold NULL.
    """
    verdicts = [_implies_one(given, condition, not_null) for condition in wanted]
    if all(verdicts):
        return True
    return False if any(verdict is False for verdict in verdicts) else None


def _implies_one(given: Predicate, wanted: Condition, not_null: Collection[str]) -> bool | None:
    if wanted in given or (wanted.kind == "not null" and wanted.column in not_null):
        return True
    same = [condition for condition in given if condition.column == wanted.column and wanted.column]
    if any(_settles(condition, wanted) for condition in same):
        return True
    if wanted.kind == "sql" or any(condition.kind == "sql" for condition in given):
        return None
    if wanted.kind == "not null" and wanted.column:
        return False
    # Each kind left says something of one column alone; rows outside `wanted` can then satisfy `given`.
    return False


def _settles(given: Condition, wanted: Condition) -> bool:
    """Does one condition on a column imply another on the same column?"""
    if wanted.kind == "not null":
        return given.kind in {"in", "not in", "true", "false", "not null"}
    if wanted.kind == "in":
        return given.kind == "in" and set(given.values) <= set(wanted.values)
    if wanted.kind == "not in":
        if given.kind == "not in":
            return set(wanted.values) <= set(given.values)
        return given.kind == "in" and not set(given.values) & set(wanted.values)
    if wanted.kind == "not true":
        return given.kind in {"false", "null", "not true"}
    return False


def _bracketed(condition: Condition, *, alone: bool) -> str:
    text = str(condition)
    return f"({text})" if condition.kind == "sql" and not alone and not text.startswith("(") else text
