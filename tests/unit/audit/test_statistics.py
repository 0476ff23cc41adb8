"""Which columns the planner's statistics speak for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vaccine.audit.hints.statistics import hints_from_statistics
from vaccine.catalog.model import Catalog, Column, ForeignKey, Index, Table


def _hinted(column: Column, rows: float | None = 1000, **more: object) -> bool:
    primary = Index("pk", ("id",), "", unique=True, primary=True)
    table = Table("public", "t", columns=(column,), indexes=(primary,), rows_estimate=rows, **more)  # type: ignore[arg-type]
    return bool(hints_from_statistics(Catalog("18.0", 180000, "d", (table,))))


def _column(name: str, distinct: float | None = -1.0, category: str = "S", nulls: float = 0.0) -> Column:
    return Column(name, 1, "text", category=category, null_fraction=nulls, n_distinct=distinct)


@pytest.mark.parametrize("name", ["order_number", "transaction_id", "idempotency_key", "sku", "Email", "external_ref"])
def test_a_name_like_a_key_and_hardly_a_repeated_value(name: str) -> None:
    assert _hinted(_column(name))
    assert _hinted(_column(name, -0.48, nulls=0.5))
    assert _hinted(_column(name, 990))
    assert not _hinted(_column(name, -0.9))
    assert not _hinted(_column(name, 12))
    assert not _hinted(_column(name, None))
    assert not _hinted(_column(name), rows=50)
    assert not _hinted(_column(name), rows=None)


@pytest.mark.parametrize("name", ["title", "body", "password_hash", "created_at", "id", "file_size"])
def test_other_values_are_distinct_by_chance(name: str) -> None:
    assert not _hinted(_column(name))


def test_a_common_value_that_stands_for_none_is_set_aside() -> None:
    column = _column("vat_number", -0.75)
    assert not _hinted(column)
    assert _hinted(replace(column, common_fraction=0.25))
    assert not _hinted(replace(column, common_fraction=0.002))


def test_numbers_and_references() -> None:
    assert _hinted(_column("invoice_number", category="N"))
    assert not _hinted(_column("user_id", category="N"))
    reference = (ForeignKey("fk", ("partner_code",), "public", "partners", ("code",)),)
    assert not _hinted(_column("partner_code"), foreign_keys=reference)
