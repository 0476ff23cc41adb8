"""What the names and types of a table's columns say of which rows are live: what is deleted or superseded is not.

What only rows can tell (a status, a flag that something is over) is judged by the audit, with the rows at hand.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from vaccine.candidates.words import snake
from vaccine.catalog.model import Column, Table
from vaccine.predicates import Condition, Predicate, render

STATUS = re.compile(r"(^|_)(status|state|stage|lifecycle|phase|lifecycle_status)$")
LIVE_FLAG = re.compile(r"^(is_|row_)?(current|active|latest|live|enabled|valid|open|newest|most_recent)(_flag)?$")
CURRENT_FLAG = re.compile(r"^(is_|row_)?(current|latest|newest|most_recent)(_flag)?$")
_GONE = "deleted|archived|removed|obsolete|superseded|replaced|retired|discarded|trashed|destroyed"
_OVER = (
    "closed|resolved|ended|revoked|cancell?ed|deactivated|disabled|voided|withdrawn|invalidated|unpublished|expired|"
    "inactive|unsubscribed|terminated|finished|completed|left|released|returned|checked_out|logged_out|suspended|"
    "dismissed|merged|rejected|stopped"
)
DEAD_FLAG = re.compile(rf"^(is_|was_|has_been_)?({_GONE}|historical|{_OVER})(_flag)?$")
ENDED_AT = re.compile(rf"^({_GONE}|{_OVER})_?(at|on|date|time|ts|timestamp)?$|^(date|time|ts)_({_GONE}|{_OVER})$")
GONE = re.compile(rf"(^|_)({_GONE}|historical)(_|$)")
VALID_TO = re.compile(
    r"^(valid|effective|active|current)_?(to|until|till|end|thru|through)(_at|_date|_ts)?$|^end_?date$|^sys_end"
)


ONE_FLAG = re.compile(r"^(is_|as_)?(the_)?(default|primary|head|main|preferred|principal)(_flag)?$")


def is_deletion(name: str) -> bool:
    """Whether a name says that a row is gone, rather than that something is over."""
    return bool(GONE.search(snake(name)))


def lifecycle_columns(table: Table) -> tuple[str, ...]:
    """Columns whose values say whether a row is live: the ones to count before `lifecycle` is asked."""
    return tuple(column.name for column in table.columns if form_of(column) in {"status", "code", "live", "dead"})


def named_predicate(table: Table, columns: Collection[str]) -> str | None:
    """The predicate that the names of a table's columns alone give; `columns` are the key's own."""
    found = from_names(table, columns, history=False)
    return render(found[0]) if found else None


def from_names(table: Table, silent: Collection[str], *, history: bool) -> tuple[Predicate, tuple[str, ...]] | None:
    """Columns that say by their name which rows are history.

    A soft deletion or a version flag always does. One that only says that something is over
    (`closed_at`, `is_active`) does when rows that are not live repeat the key.
    """
    spoken = [(column, form) for column in table.columns if (form := form_of(column)) and column.name not in silent]
    for wanted in ("ended", "live", "dead", "valid_to") if spoken else ():
        for column, form in spoken:
            if form != wanted:
                continue
            sure = CURRENT_FLAG.match(snake(column.name)) or is_deletion(column.name) or form == "valid_to"
            condition = live_condition(column, form) if sure or (history and form != "live") else None
            if condition:
                return (condition,), (f"{column.name} says so by its name",)
    return None


def live_condition(column: Column, form: str) -> Condition | None:
    """What a live row satisfies, by one column; None where its values could not tell."""
    if form in {"ended", "valid_to"}:
        if not column.not_null:
            return Condition("null", column.name)
        if column.default and "infinity" in column.default:
            return Condition("in", column.name, ("'infinity'",))
        return None
    if form == "dead":
        return Condition("false" if column.not_null else "not true", column.name)
    return Condition("true", column.name)


def form_of(column: Column) -> str:
    """What a column says of its row by name and type: status, code, live, one, dead, ended, valid_to, or nothing.

    `code` is a status that is a number, `one` a flag that one row of several has: `is_default`.
    """
    return _form_by_name(snake(column.name), column.category)


@lru_cache(maxsize=8192)
def _form_by_name(name: str, category: str) -> str:
    if category in {"S", "E"}:
        return "status" if STATUS.search(name) else ""
    if category == "B":
        forms = (("live", LIVE_FLAG), ("dead", DEAD_FLAG), ("one", ONE_FLAG))
        return next((form for form, pattern in forms if pattern.match(name)), "")
    if category == "N":
        return "code" if STATUS.search(name) else ""
    if category == "D":
        return "ended" if ENDED_AT.match(name) else "valid_to" if VALID_TO.match(name) else ""
    return ""
