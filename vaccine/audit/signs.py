"""Which conditions the rows themselves show to tell live rows from history: counted in one pass, then chosen.

A condition defines who is live where rows outside it repeat a key by right, and rows inside it hardly do. A deletion
counts by its name alone, unless deleted rows stand beside live ones so seldom that they may be part of the damage.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from psycopg import sql

from vaccine.audit.counts import KeyQuery, live_rows, names, relation
from vaccine.audit.finding import OpenQuestion
from vaccine.candidates.lifecycle import form_of, is_deletion, live_condition
from vaccine.catalog.model import Table
from vaccine.catalog.reader import Reader
from vaccine.predicates import Condition, Predicate, render

MOST = 10  # conditions that are looked at, in the order of FORMS
CODES = 8  # values of a numbered status that are looked at
FORMS = ("live", "one", "ended", "valid_to", "dead", "status", "code")
FEW = 3  # rows that a condition calls live: fewer show nothing
AS_KEY = 0.35  # of the rows that a condition calls live, at most this share may be too many

Values = Mapping[str, Sequence[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Sign:
    """What the rows with a whole key say of one condition, or of two together.

    `rows` satisfy it, `excess` of these are beyond the first of their key. `history` are rows outside it that repeat a
    key; of those `beside` share it with a row inside.
    """

    predicate: Predicate
    form: str
    why: str
    rows: int
    excess: int
    history: int
    beside: int

    @property
    def tells(self) -> bool:
        """Whether the key is one among these rows, and repeats by right outside."""
        return self.rows >= FEW and self.history >= max(1, self.excess) and self.excess <= AS_KEY * self.rows


@dataclass(frozen=True, slots=True)
class Offered:
    """A condition that a column offers: what it says of the column is its form, and `why` in words."""

    condition: Condition
    form: str
    why: str


def conditions(
    table: Table, key: Collection[str], values: Values, statuses: Sequence[tuple[Condition, str]] = ()
) -> list[Offered]:
    """The conditions that a table's columns offer; `statuses` are those that words give, with their reasons."""
    found = [Offered(condition, "status", why) for condition, why in statuses if condition.column not in key]
    for column in table.columns:
        form, name = form_of(column), column.name
        if not form or name in key:
            continue
        if form == "code":
            seen = [value for value, _ in values.get(name, ()) if value.lstrip("-").isdigit()][:CODES]
            found += [
                Offered(Condition("in", name, (value,)), form, f"{name} is a status in numbers") for value in seen
            ]
        elif form == "one":
            found.append(Offered(Condition("true", name), form, f"{name} says so by its name"))
        elif form != "status" and (condition := live_condition(column, form)):
            found.append(Offered(condition, form, f"{name} says so by its name"))
    return sorted(found, key=lambda each: FORMS.index(each.form))[:MOST]


def count_signs(reader: Reader, table: Table, key: KeyQuery, offered: Sequence[Offered]) -> tuple[Sign, ...]:
    """Each condition, and each two of different columns, counted among the rows with a whole key; one statement."""
    wanted: list[tuple[Predicate, str, str]] = [((each.condition,), each.form, each.why) for each in offered]
    wanted += [
        ((one.condition, two.condition), one.form, f"{one.why}, and {two.why}")
        for one, two in combinations(offered, 2)
        if one.condition.column != two.condition.column
    ]
    if not wanted:
        return ()
    inner = [
        sql.SQL("count(*) FILTER (WHERE {}) AS {}").format(sql.SQL(render(predicate) or "TRUE"), _name(number))
        for number, (predicate, *_) in enumerate(wanted)
    ]
    query = sql.SQL(
        "SELECT {sums} FROM (SELECT count(*) AS n, {inner} FROM {table} WHERE {whole} GROUP BY {key}) AS grouped"
    ).format(
        sums=sql.SQL(", ").join(part for number in range(len(wanted)) for part in _sums(_name(number))),
        inner=sql.SQL(", ").join(inner),
        table=relation(table),
        whole=live_rows(key),
        key=names(key.columns),
    )
    row = reader.row(query)
    counted = [tuple(int(value or 0) for value in row[at : at + 4]) for at in range(0, len(row), 4)]
    return tuple(Sign(*what, *numbers) for what, numbers in zip(wanted, counted, strict=True))


def _name(number: int) -> sql.Identifier:
    return sql.Identifier(f"n{number}")


def _sums(live: sql.Identifier) -> Iterator[sql.Composed]:
    for text in (
        "sum({0})",
        "sum({0} - 1) FILTER (WHERE {0} > 1)",
        "sum(CASE WHEN {0} > 0 THEN n - {0} ELSE n - 1 END)",
        "sum(n - {0}) FILTER (WHERE {0} > 0)",
    ):
        yield sql.SQL(text).format(live)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The predicate that the rows show, why, and what they leave open; `excess` rows are too many under it."""

    predicate: Predicate
    excess: int = 0
    reasons: tuple[str, ...] = ()
    questions: tuple[OpenQuestion, ...] = ()


def choose(table: Table, signs: Sequence[Sign], within: Predicate = ()) -> Chosen:
    """What the signs, counted `within` a scope, say of who is live; an empty predicate where they say nothing."""
    found = _telling(signs, within) or Chosen(())
    for gone in _deletions(table, signs):
        both = next((sign for sign in signs if set(sign.predicate) == {*found.predicate, *gone.predicate}), gone)
        if gone.tells or gone.beside == 0 or both.excess == 0 or gone.beside >= both.excess:
            reasons = (*found.reasons, gone.why)
            found = Chosen((*found.predicate, *gone.predicate), both.excess, reasons, found.questions)
        else:
            found = replace(
                found, questions=(*found.questions, _deleted_twins(gone, both, (*within, *found.predicate)))
            )
    return found


def _telling(signs: Sequence[Sign], within: Predicate) -> Chosen | None:
    """The condition that the rows bear out: a flag before an end, a status that says the same as an end before that."""
    alone = [s for s in signs if len(s.predicate) == 1 and s.tells and not is_deletion(s.predicate[0].column)]
    if not alone:
        both = [s for s in signs if s.tells and not any(is_deletion(each.column) for each in s.predicate)]
        fewest = min(both, key=lambda sign: sign.excess, default=None)
        return Chosen(fewest.predicate, fewest.excess, _told(fewest)) if fewest else None
    best = min(alone, key=lambda sign: FORMS.index(sign.form))
    if best.form in {"ended", "valid_to"}:
        for same in alone:
            if same.form in {"status", "code"} and same.rows == best.rows == _together(signs, same, best):
                why = f"{render(same.predicate)} exactly where {render(best.predicate)}"
                return Chosen(same.predicate, same.excess, (why, *_told(best)))
    return Chosen(best.predicate, best.excess, _told(best), _unnamed(best, within))


def _together(signs: Sequence[Sign], one: Sign, other: Sign) -> int | None:
    wanted = {*one.predicate, *other.predicate}
    return next((sign.rows for sign in signs if set(sign.predicate) == wanted), None)


def _told(sign: Sign) -> tuple[str, str]:
    return sign.why, f"{sign.history:,} rows outside it repeat the key"


def _unnamed(sign: Sign, within: Predicate) -> tuple[OpenQuestion, ...]:
    if sign.form != "code":
        return ()
    text = f"nothing says what {render(sign.predicate)} means, only that among those rows the key hardly repeats"
    return (OpenQuestion("where", text, (_option((*within, *sign.predicate)),)),)


def _deletions(table: Table, signs: Sequence[Sign]) -> list[Sign]:
    """The deletions of a table, one where two say the same of its rows: rather a flag that is never NULL."""
    found = [s for s in signs if len(s.predicate) == 1 and is_deletion(s.predicate[0].column)]
    found.sort(key=lambda sign: not (sign.form == "dead" and table.by_name[sign.predicate[0].column].not_null))
    kept: list[Sign] = []
    for sign in found:
        if not any(_together(signs, sign, other) == sign.rows == other.rows for other in kept):
            kept.append(sign)
    return kept


def _deleted_twins(gone: Sign, both: Sign, rest: Predicate) -> OpenQuestion:
    """Deleted rows share a key with live ones, but no more often than live rows do."""
    text = (
        f"{gone.beside} rows that {gone.predicate[0].column} calls gone share their key with one that is not gone, and "
        f"{both.excess} that are not gone are too many: may a key be used again once its row is gone, or does a row "
        "that comes back want it?"
    )
    return OpenQuestion("where", text, (_option((*rest, *gone.predicate)), _option(rest)))


def _option(predicate: Predicate) -> str:
    return f"--where {shlex.quote(render(predicate) or '')}"
