"""Which rows are live: from indexes, siblings, names and values, the surest first."""

from __future__ import annotations

import pytest

from vaccine.audit.finding import Expression
from vaccine.audit.lifecycle import Override, lifecycle, whole_predicate
from vaccine.audit.survivor import survivor_order
from vaccine.catalog.model import Catalog, Column, FieldChoices, Index, Table


def _column(name: str, kind: str = "text", category: str = "S", **more: object) -> Column:
    return Column(name, 1, kind, category=category, **more)  # type: ignore[arg-type]


KEY = ("code",)
ID = _column("id", "integer", "N", not_null=True)
PRIMARY = Index("pk", ("id",), "", unique=True, primary=True)


def _table(*columns: Column, name: str = "t", indexes: tuple[Index, ...] = ()) -> Table:
    return Table("public", name, columns=(ID, _column("code"), *columns), indexes=(PRIMARY, *indexes))


def _catalog(*tables: Table, **more: object) -> Catalog:
    return Catalog("18.0", 180000, "d", tables=tables, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "predicate", "assign"),
    [
        (_column("deleted_at", "timestamptz", "D"), "deleted_at IS NULL", Expression("now()")),
        (_column("archived_at", "timestamptz", "D"), "archived_at IS NULL", Expression("now()")),
        (_column("valid_to", "date", "D"), "valid_to IS NULL", Expression("now()")),
        (_column("is_current", "boolean", "B"), "is_current", False),
        (_column("is_deleted", "boolean", "B", not_null=True), "NOT is_deleted", True),
        (_column("is_deleted", "boolean", "B"), "is_deleted IS NOT TRUE", True),
    ],
)
def test_columns_that_say_it_by_name(column: Column, predicate: str, assign: object) -> None:
    table = _table(column)
    found = lifecycle(_catalog(table), table, KEY)
    assert found.predicate == predicate
    assert found.assign == ((column.name, assign),)


def test_a_status_alone_limits_nothing_until_history_repeats_the_key() -> None:
    table = _table(_column("status"))
    values = {"status": (("open", 5), ("closed", 3))}
    assert lifecycle(_catalog(table), table, KEY, values=values).predicate is None
    odd = {"status": (*values["status"], ("paid", 9), ("cancelled", 2))}
    found = lifecycle(_catalog(table), table, KEY, values=odd, history=True)
    assert (found.predicate, found.assign) == ("status NOT IN ('cancelled', 'closed')", (("status", "closed"),))
    found = lifecycle(_catalog(table), table, KEY, values=values, history=True)
    assert (found.predicate, found.assign) == ("status = 'open'", (("status", "closed"),))


@pytest.mark.parametrize("column", [_column("closed_at", "timestamptz", "D"), _column("is_active", "boolean", "B")])
def test_what_only_says_that_it_is_over_counts_when_history_repeats_the_key(column: Column) -> None:
    table = _table(column)
    assert lifecycle(_catalog(table), table, KEY).predicate is None
    assert lifecycle(_catalog(table), table, KEY, history=True).predicate is not None


def test_a_sibling_shows_the_pattern_and_choices_the_value() -> None:
    guard = Index("uq_open", KEY, "", unique=True, predicate="((status)::text = 'open'::text)")
    table = _table(_column("status", "character varying(20)"))
    sibling = _table(_column("status"), name="sibling", indexes=(guard,))
    catalog = _catalog(table, sibling, choices=(FieldChoices("t", "status", ("open", "resolved")),))
    found = lifecycle(catalog, table, KEY)
    assert found.predicate == "status = 'open'"
    assert found.assign == (("status", "resolved"),)
    assert "public.sibling guards the same key so (uq_open)" in found.reasons[0]


def test_enum_labels_and_a_plain_partial_index() -> None:
    plain = Index("ix_open", ("status",), "", predicate="(status = 'open'::mood)")
    table = _table(_column("status", "mood", "E", enum_labels=("open", "archived")), indexes=(plain,))
    found = lifecycle(_catalog(table), table, KEY, history=True)
    assert (found.predicate, found.assign) == ("status = 'open'", (("status", "archived"),))
    assert lifecycle(_catalog(table), table, KEY).predicate is None


def test_a_person_wins_in_each_part() -> None:
    table = _table(_column("deleted_at", "timestamptz", "D"))
    override = Override("id > 5", (("note", "x"),), ("id ASC",))
    found = lifecycle(_catalog(table), table, KEY, override=override)
    assert (found.predicate, found.assign, found.survivor) == ("id > 5", (("note", "x"),), ("id ASC",))
    partly = lifecycle(_catalog(table), table, KEY, override=Override(survivor=("id ASC",)))
    assert (partly.predicate, partly.survivor) == ("deleted_at IS NULL", ("id ASC",))
    assert lifecycle(_catalog(table), table, KEY, override=Override(predicate="")).predicate is None


def test_the_survivor_was_seen_last() -> None:
    table = _table(_column("created_at", "timestamptz", "D"), _column("Last Seen", "timestamptz", "D"))
    assert survivor_order(table) == ("created_at DESC NULLS LAST", "id DESC")


def test_the_index_predicate_adds_not_null_only_where_a_null_may_be() -> None:
    table = _table(_column("must", not_null=True))
    assert whole_predicate(table, ("code", "must"), "status = 'open'") == "status = 'open' AND code IS NOT NULL"
    assert whole_predicate(table, ("must",), None) is None
