"""Which rows of a table are live, how a row is retired, and which row of a duplicate group stays. Pure.

A lifecycle is taken from what the database itself says, the surest first: a unique index on the key, an
index of a sibling table on the same key, a partial index of the table, columns whose name says what they
hold (`is_current`, `deleted_at`), then the values of a status column.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from vaccine.audit.finding import Expression, Lifecycle, OpenQuestion, Scalar
from vaccine.audit.signs import Chosen, Values
from vaccine.audit.survivor import survivor_order
from vaccine.candidates.lifecycle import GONE, form_of, from_names
from vaccine.catalog.model import Catalog, Column, Index, Table
from vaccine.predicates import Condition, Predicate, literal, parse, render

LIVE_VALUES = (
    "open", "active", "current", "live", "published", "enabled", "pending", "new", "valid", "in_progress", "running",
    "todo", "draft", "approved", "in_review", "queued", "scheduled", "started", "ready", "reopened", "acknowledged",
)  # fmt: skip
RETIRED_VALUES = (
    "resolved", "closed", "superseded", "archived", "inactive", "obsolete", "retired", "deleted", "removed",
    "duplicate", "merged", "cancelled", "canceled", "disabled", "expired", "revoked", "done", "completed", "complete",
    "finished", "rejected", "dismissed", "deprecated", "discarded", "replaced", "historical", "ended", "invalid",
    "withdrawn", "void", "voided", "fixed", "trashed", "failed",
)  # fmt: skip
SIBLINGS = 20  # other tables that are looked at for a pattern


@dataclass(frozen=True, slots=True)
class Override:
    """What a person says of a key: it wins over all that is inferred. None leaves a part to inference.

    The last four say nothing of the lifecycle: they are for the plan alone, as its options of these names.
    """

    predicate: str | None = None
    assign: tuple[tuple[str, Scalar | Expression], ...] | None = None
    survivor: tuple[str, ...] | None = None
    name: str | None = None
    keep: tuple[tuple[str, ...], ...] = ()
    max_rows: int | None = None
    gate: str | None = None


def lifecycle(
    catalog: Catalog,
    table: Table,
    columns: tuple[str, ...],
    *,
    values: Values | None = None,
    history: bool = False,
    override: Override | None = None,
    hint: str | None = None,
    ignored: Collection[str] = (),
    shown: Chosen | None = None,
) -> Lifecycle:
    """The lifecycle of a table as one key needs it.

    Args:
        catalog: for the indexes of sibling tables and the application's choices.
        table: the table of the key.
        columns: the key.
        values: the values of `lifecycle_columns` with their counts, where rows were read.
        history: whether rows that are not live repeat the key, as a status alone cannot show.
        override: what the user says.
        hint: a predicate that the candidate brought along, used when nothing surer is found.
        ignored: columns that the rows have shown to say nothing of who is live.
        shown: what the rows themselves have shown, where they were asked.
    """
    silent = {*columns, *ignored}
    questions: tuple[OpenQuestion, ...] = ()
    own = _from_unique_index(table, columns)
    if shown is not None and _wins(shown, own):
        predicate, reasons, questions = shown.predicate, shown.reasons, shown.questions
        if own and shown.predicate:
            reasons = (*reasons, f"narrower, so no definition of who is live: {own[1][0]}")
    else:
        predicate, reasons = own or _predicate(
            catalog, table, columns, values or {}, silent, history=history, hint=hint
        )
    hole = unguarded_part(table, columns)
    if hole is not None and not own:
        predicate, reasons = (*predicate, hole[0]), (*reasons, hole[1])
    if override and override.predicate is not None:
        predicate, reasons = parse(override.predicate), ("the predicate was given by a person",)
        questions = ()
    assign, how = _assign(catalog, table, predicate, values or {})
    if override and override.assign is not None:
        assign, how = override.assign, ("how a row is retired was given by a person",)
    survivor = (override and override.survivor) or survivor_order(table, columns, predicate, values)
    text = override.predicate if override and override.predicate is not None else render(predicate)
    return Lifecycle(
        predicate=text or None,
        columns=tuple(dict.fromkeys(condition.column for condition in predicate if condition.column)),
        assign=assign,
        survivor=survivor,
        reasons=(*reasons, *how),
        questions=questions,
    )


def statuses(
    catalog: Catalog, table: Table, silent: Collection[str], values: Values
) -> tuple[tuple[Condition, str], ...]:
    """What the words of status columns call live, and why: to be borne out by the rows."""
    found = (_from_status(catalog, table, column, values) for column in table.columns if column.name not in silent)
    return tuple(each for each in found if each)


def _wins(shown: Chosen, own: tuple[Predicate, tuple[str, ...]] | None) -> bool:
    """Whether what the rows show stands before what structure says: an index of the table yields to a wider rule."""
    if own is None:
        return bool(shown.predicate or shown.questions)
    return bool(shown.predicate and shown.excess) and {c.column for c in shown.predicate} != {c.column for c in own[0]}


def unguarded_part(table: Table, columns: tuple[str, ...]) -> tuple[Condition, str] | None:
    """The rows that a unique index on the key and one more column lets repeat, since that column is NULL there."""
    for index in table.indexes:
        more = {name for name in index.columns if name is not None} - set(columns)
        if not (index.unique and index.valid) or index.nulls_not_distinct or len(index.columns) != len(columns) + 1:
            continue
        if len(more) == 1 and (name := more.pop()) in table.by_name and not table.by_name[name].not_null:
            rest = parse(index.predicate)
            if all(condition == Condition("not null", name) for condition in rest):
                return Condition("null", name), f"index {index.name} guards the key where {name} is set"
    return None


def may_say_nothing(table: Table, name: str) -> bool:
    """Whether a column may say nothing of who is live: a `valid_to` may be a plan, a flag may be unused."""
    form = form_of(table.by_name[name]) if name in table.by_name else ""
    return form in {"valid_to", "live"} or (form == "ended" and not GONE.search(name))


def whole_predicate(table: Table, columns: Sequence[str], of: str | None) -> str | None:
    """The predicate of the partial index: the lifecycle, and NOT NULL for each key column that may be NULL."""
    conditions = list(parse(of))
    known = {column.name for column in table.columns if column.not_null}
    known |= {condition.column for condition in conditions if condition.kind in {"not null", "in", "true", "false"}}
    conditions += [Condition("not null", name) for name in columns if name not in known]
    return render(conditions)


def _predicate(
    catalog: Catalog,
    table: Table,
    columns: tuple[str, ...],
    values: Values,
    silent: Collection[str],
    *,
    history: bool,
    hint: str | None,
) -> tuple[Predicate, tuple[str, ...]]:
    sibling = _from_sibling(catalog, table, columns)
    if sibling:
        return sibling
    named = from_names(table, silent, history=history)
    if named:
        return named
    if hint and not any(condition.column in silent for condition in parse(hint)):
        return _without_key(parse(hint), columns), ("the predicate that the candidate key came with",)
    plain = _from_plain_index(table, columns)
    if plain and (history or form_of(table.by_name[plain[0][0].column]) != "status"):
        return plain
    return _from_values(catalog, table, silent, values, history=history) or _for_history(plain, history=history)


def _for_history(
    found: tuple[Predicate, tuple[str, ...]] | None, *, history: bool
) -> tuple[Predicate, tuple[str, ...]]:
    """A partial index alone does not limit a key that no retired row repeats."""
    return found if found and history else ((), ())


def _from_unique_index(table: Table, columns: tuple[str, ...]) -> tuple[Predicate, tuple[str, ...]] | None:
    for index in table.indexes:
        if index.unique and index.predicate and set(index.columns) == set(columns):
            found = _without_key(parse(index.predicate), columns)
            if index.valid and not _is_lifecycle(table, found):
                continue
            return found, (f"index {index.name} of this table: {render(found) or 'all rows'}",)
    return None


def _is_lifecycle(table: Table, predicate: Predicate) -> bool:
    """Whether each condition is on a column that says who is live: a locale, a tenant or a type are scopes."""
    return all(
        condition.column in table.by_name and form_of(table.by_name[condition.column]) for condition in predicate
    )


def siblings(catalog: Catalog, table: Table, columns: tuple[str, ...]) -> tuple[tuple[Table, Index], ...]:
    """Unique indexes of other tables on columns of the same names, the first few: the pattern to follow.

    Those of the table's own schema come first: another one may be a stranger's. In a database with a schema for each
    tenant every table has thousands of them.
    """
    own = catalog.unique_in_schema.get((table.schema, frozenset(columns)), ())
    others = (pair for pair in catalog.unique_by_columns.get(frozenset(columns), ()) if pair[0].schema != table.schema)
    mine = (pair for pair in own if pair[0].oid != table.oid or pair[0].name != table.name)
    return tuple(islice(chain(mine, others), SIBLINGS))


def _from_sibling(catalog: Catalog, table: Table, columns: tuple[str, ...]) -> tuple[Predicate, tuple[str, ...]] | None:
    for other, index in siblings(catalog, table, columns):
        found = _without_key(parse(index.predicate), columns)
        if other.schema == table.schema and found and _is_lifecycle(table, found):
            return found, (f"{other.schema}.{other.name} guards the same key so ({index.name}): {render(found)}",)
    return None


def _from_plain_index(table: Table, columns: tuple[str, ...]) -> tuple[Predicate, tuple[str, ...]] | None:
    for index in table.indexes:
        if not index.predicate:
            continue
        found = _without_key(parse(index.predicate), columns)
        named = [condition.column in table.by_name and form_of(table.by_name[condition.column]) for condition in found]
        if found and all(named) and all(condition.kind != "sql" for condition in found):
            return found, (f"index {index.name} of this table is for {render(found)}",)
    return None


def _from_values(
    catalog: Catalog, table: Table, silent: Collection[str], values: Values, *, history: bool
) -> tuple[Predicate, tuple[str, ...]] | None:
    """What a status column says, when rows that are not live repeat the key: a value that nobody knows is live."""
    if not history:
        return None
    for column in table.columns:
        if column.name in silent:
            continue
        if form_of(column) == "live":
            return (Condition("true", column.name),), (f"{column.name} says so by its name",)
        found = _from_status(catalog, table, column, values)
        if found:
            return (found[0],), (found[1],)
    return None


def _from_status(catalog: Catalog, table: Table, column: Column, values: Values) -> tuple[Condition, str] | None:
    if form_of(column) != "status":
        return None
    known = _known_values(catalog, table, column, values)
    live = [value for value in known if _word(value) in LIVE_VALUES]
    retired = [value for value in known if _word(value) in RETIRED_VALUES]
    if retired and len(live) + len(retired) < len(known):
        gone = Condition("not in", column.name, tuple(sorted(literal(value) for value in retired)))
        return gone, f"{column.name} has retired values ({', '.join(retired)}); all others are live"
    if live and retired:
        chosen = Condition("in", column.name, tuple(sorted(literal(value) for value in live)))
        return chosen, f"{column.name} has live values ({', '.join(live)}) and retired ones"
    return None


def _assign(
    catalog: Catalog, table: Table, predicate: Predicate, values: Values
) -> tuple[tuple[tuple[str, Scalar | Expression], ...], tuple[str, ...]]:
    """The assignment after which a row no longer satisfies the predicate; empty when none is known."""
    for condition in predicate:
        column = table.by_name.get(condition.column)
        if column is None or column.generated:
            continue
        found = _retire(catalog, table, column, condition, values)
        if found is not None:
            value, why = found
            return ((column.name, value),), (why,)
    return (), ()


def _retire(
    catalog: Catalog, table: Table, column: Column, condition: Condition, values: Values
) -> tuple[Scalar | Expression, str] | None:
    if condition.kind in {"true", "false", "not true"}:
        return condition.kind != "true", f"a row is retired by {column.name} = {condition.kind != 'true'}".lower()
    if condition.kind == "null" and column.category == "D":
        return Expression("now()"), f"a row is retired by {column.name} = now()"
    if condition.kind == "in" and condition.values == ("'infinity'",) and column.category == "D":
        return Expression("now()"), f"a row is retired by {column.name} = now()"
    if condition.kind in {"in", "not in"} and column.category in {"S", "E"}:
        named = set(condition.values)
        known = _known_values(catalog, table, column, values)
        dead = [value for value in known if (literal(value) in named) == (condition.kind == "not in")]
        ranked = sorted((RETIRED_VALUES.index(_word(value)), value) for value in dead if _word(value) in RETIRED_VALUES)
        if ranked:
            return ranked[0][1], f"a row is retired by {column.name} = {ranked[0][1]!r}, a value that the column has"
    return None


def _known_values(catalog: Catalog, table: Table, column: Column, values: Values) -> list[str]:
    """The column's values: seen in rows, enum labels, the application's choices, a CHECK's list."""
    seen = [value for value, _ in values.get(column.name, ())]
    chosen = [
        value
        for choices in catalog.choices
        if choices.table == table.name and choices.column == column.name
        for value in choices.values
    ]
    checked = [
        _unquoted(value)
        for check in table.checks
        if column.name in check.columns
        for condition in parse(check.expression)
        if condition.kind == "in" and condition.column == column.name
        for value in condition.values
    ]
    return list(dict.fromkeys([*seen, *column.enum_labels, *chosen, *checked]))


def _without_key(predicate: Predicate, columns: Sequence[str]) -> Predicate:
    """The predicate without the key's own IS NOT NULL."""
    return tuple(c for c in predicate if not (c.kind == "not null" and c.column in columns))


def _word(value: str) -> str:
    return re.sub(r"[\s-]+", "_", value.strip().lower())


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'") if text.startswith("'") else text
