"""Names of indexes."""

import pytest

from vaccine.plan.naming import index_name


@pytest.mark.parametrize(
    ("table", "columns", "where", "name"),
    [
        ("system_issues", ("violation_hash",), "status = 'open' AND violation_hash IS NOT NULL",
         "uq_system_issues_open_violation_hash"),
        ("tasks", ("code",), "code IS NOT NULL", "uq_tasks_code"),
        ("tasks", ("code",), None, "uq_tasks_code"),
        ("docs", ("tenant_id", "slug"), "deleted_at IS NULL", "uq_docs_live_tenant_id_slug"),
        ("kd", ("source_id",), "is_current", "uq_kd_live_source_id"),
        ('we"ird %\n', ("Co l",), None, "uq_we_ird_co_l"),
        ("t", ("k",), "state = 'it''s'", "uq_t_it_s_k"),
    ],
)  # fmt: skip
def test_a_name_says_what_it_guards(table: str, columns: tuple[str, ...], where: str | None, name: str) -> None:
    assert index_name(table, columns, where) == name


def test_a_long_name_keeps_within_63_bytes_and_stays_distinct() -> None:
    one = index_name("ü" * 31, ("column_one" * 3,), None)
    other = index_name("ü" * 31, ("column_two" * 3,), None)
    assert len(one.encode()) <= 63
    assert len(other.encode()) <= 63
    assert one != other
