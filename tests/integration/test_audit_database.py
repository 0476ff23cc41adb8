"""Every fact that the audit's report states is true of the database made from it, on each version."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.every_version

GUARDED = """
    agents agent_views approval_requests binding_registry block_library checkpoint_sets checkpoint_types
    collection_groups collection_registry comments derived_objects_registry design_templates dot_domains dot_tools
    entity_dependencies entity_species governance_registry kg_thresholds knowledge_documents languages meta_catalog
    modules normative_registry pivot_definitions system_issues table_proposals taxonomy taxonomy_facets
    trigger_registry ui_pages universal_edges universal_rule_violations workflow_categories
    workflow_change_requests workflow_steps
""".split()  # noqa: SIM905  as the report lists them
LOGICAL_ID = "(^|_)(path|slug|code|source_id|hash|key|file_path|dimension)$"
APPLICATION = "c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'directus\\_%%'"


class Database:
    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, parameters or None).fetchall()

    def row(self, query: str, *parameters: object) -> tuple[Any, ...]:
        (found,) = self.rows(query, *parameters)
        return found


@pytest.fixture(scope="module")
def audited(shared_audit_database: str) -> Any:
    with psycopg.connect(shared_audit_database, autocommit=True, options="-c timezone=UTC") as connection:
        yield Database(connection)


def test_the_inventory(audited: Database) -> None:
    tables = f"SELECT count(*) FROM pg_class c WHERE {APPLICATION.replace('%%', '%')}"
    assert audited.row(tables) == (168,)
    logical = audited.rows(
        f"SELECT DISTINCT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        f" WHERE {APPLICATION} AND a.attnum > 0 AND a.attname ~ %s",
        LOGICAL_ID,
    )
    assert len(logical) == 65
    guarded = audited.rows(
        f"SELECT DISTINCT c.relname::text FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique"
        f" JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
        f" WHERE {APPLICATION} AND i.indnkeyatts = 1 AND i.indisvalid AND a.attname ~ %s",
        LOGICAL_ID,
    )
    assert sorted(name for (name,) in guarded) == sorted(GUARDED)


def test_each_of_the_other_23_logical_ids_refers_to_a_guarded_one(audited: Database) -> None:
    referring = audited.rows(
        f"SELECT DISTINCT c.relname::text FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid"
        f" JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]"
        f" WHERE {APPLICATION} AND k.contype = 'f' AND a.attname ~ %s",
        LOGICAL_ID,
    )
    assert len(referring) == 23
    assert not {name for (name,) in referring} & set(GUARDED)


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("system_issues", 165), ("categories", 1), ("posts", 2), ("forms", 0), ("tasks", 10),
        ("workflow_change_requests", 3), ("registry_changelog", 15317), ("help_articles", 3),
        ("birth_registry", 34084), ("measurement_log", 5050), ("lifecycle_log", 827),
        ("universal_rule_violations", 1741),
    ],
)  # fmt: skip
def test_the_rows_that_the_report_counted(audited: Database, table: str, rows: int) -> None:
    assert audited.row(f"SELECT count(*) FROM {table}") == (rows,)
    assert audited.row("SELECT reltuples::int FROM pg_class WHERE oid = %s::regclass", table) == (rows,)


@pytest.mark.parametrize(
    ("table", "column", "distinct", "total"),
    [
        ("system_issues", "violation_hash", 148, 165), ("system_issues", "business_logic_hash", 12, 165),
        ("categories", "slug", 1, 1), ("posts", "slug", 2, 2), ("forms", "key", 0, 0), ("tasks", "code", 10, 10),
        ("workflow_change_requests", "code", 3, 3), ("registry_changelog", "code", 12, 12),
        ("help_articles", "slug", 3, 3),
    ],
)  # fmt: skip
def test_the_candidates(audited: Database, table: str, column: str, distinct: int, total: int) -> None:
    assert audited.row(f"SELECT count(DISTINCT {column}), count({column}) FROM {table}") == (distinct, total)
    unique = (
        "SELECT count(*) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
    )
    assert audited.row(
        f"{unique} WHERE i.indisunique AND i.indrelid = %s::regclass AND a.attname = %s", table, column
    ) == (0,)


def test_codes_look_as_the_application_makes_them(audited: Database) -> None:
    assert audited.row(r"SELECT count(*) FROM tasks WHERE code ~ '^TSK-\d{4}$'") == (10,)
    assert audited.row(r"SELECT count(*), count(DISTINCT code) FROM system_issues WHERE code ~ '^ISS-\d{4}$'") == (
        165,
        165,
    )


def test_the_indexes_of_system_issues(audited: Database) -> None:
    assert audited.rows(
        "SELECT i.relname::text, x.indisunique, pg_get_indexdef(i.oid, 1, true), pg_get_expr(x.indpred, x.indrelid)"
        " FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
        " WHERE x.indrelid = 'system_issues'::regclass ORDER BY 1"
    ) == [
        ("idx_issues_open", False, "status", "((status)::text = 'open'::text)"),
        ("idx_system_issues_system_issues_code_unique", True, "code", None),
        ("system_issues_pkey", True, "id", None),
    ]


def test_the_duplicate_groups(audited: Database) -> None:
    groups = audited.rows(
        "SELECT violation_hash, status, count(*) FROM system_issues WHERE violation_hash IS NOT NULL"
        " GROUP BY violation_hash, status HAVING COUNT(*) > 1 ORDER BY status, count(*) DESC, violation_hash"
    )
    assert groups[:5] == [
        ("44815e74c3d0f846", "open", 2),
        ("9cc0eb3d7958f6cf", "open", 2),
        ("0653e4f1c9c519d6", "resolved", 4),
        ("1bbc0770d083c274", "resolved", 4),
        ("aa8df24153c26d4b", "resolved", 4),
    ]
    assert [(status, rows) for _, status, rows in groups[5:]] == [("resolved", 3), *[("resolved", 2)] * 4]
    assert sum(rows - 1 for *_, rows in groups) == 165 - 148


def test_the_open_pairs(audited: Database) -> None:
    pairs = audited.rows(
        "SELECT id, violation_hash, issue_class, source_system, last_seen_at::text FROM system_issues"
        " WHERE status = 'open' AND violation_hash IN ('44815e74c3d0f846', '9cc0eb3d7958f6cf')"
        " ORDER BY violation_hash, last_seen_at DESC"
    )
    assert pairs == [
        (3896, "44815e74c3d0f846", "sync_fault", "dieu31-runner", "2026-04-09 10:00:25.802+00"),
        (3994, "44815e74c3d0f846", "sync_fault", "dieu31-runner", "2026-03-30 10:00:15.042+00"),
        (3884, "9cc0eb3d7958f6cf", "sync_fault", "dieu31-runner", "2026-04-09 10:00:17.869+00"),
        (3999, "9cc0eb3d7958f6cf", "sync_fault", "dieu31-runner", "2026-04-01 04:00:27.476+00"),
    ]


def test_the_right_patterns(audited: Database) -> None:
    indexes = dict(audited.rows("SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
    assert indexes["uq_open_violation_hash"] == (
        "CREATE UNIQUE INDEX uq_open_violation_hash ON public.universal_rule_violations USING btree (violation_hash)"
        " WHERE ((status)::text = 'open'::text)"
    )
    assert indexes["idx_kd_current_source_id_unique"] == (
        "CREATE UNIQUE INDEX idx_kd_current_source_id_unique ON public.knowledge_documents USING btree (source_id)"
        " WHERE (is_current = true)"
    )
    # A whole unique constraint could not hold: both tables keep history under the same key.
    assert audited.row("SELECT count(*) > count(DISTINCT violation_hash) FROM universal_rule_violations") == (True,)
    assert audited.row("SELECT count(*) > count(DISTINCT source_id) FROM knowledge_documents") == (True,)


def test_the_logs(audited: Database) -> None:
    assert audited.row("SELECT count(DISTINCT (run_id, measurement_id)) FROM measurement_log") == (5050,)
    assert audited.row("SELECT count(*) > 15000 FROM registry_changelog WHERE code IS NULL") == (True,)
    before = audited.row("SELECT count(*) FROM birth_registry")[0]
    with audited.connection.transaction(force_rollback=True):
        audited.connection.execute("INSERT INTO modules (key) VALUES ('a module that is born')")
        assert audited.row("SELECT count(*) FROM birth_registry") == (before + 1,)


def test_what_directus_knows(audited: Database) -> None:
    assert audited.row("SELECT count(*) FROM directus_collections") == (168,)
    creating = (
        "SELECT f.name, o.options->>'collection' FROM directus_operations o JOIN directus_flows f ON f.id = o.flow"
        " WHERE o.type = 'item-create' AND f.status = 'active'"
    )
    assert audited.rows(creating) == [("Create task from request", "tasks")]
    assert audited.row(
        "SELECT array_agg(choice->>'value') FROM directus_fields, json_array_elements(options->'choices') AS choice"
        " WHERE collection = 'system_issues' AND field = 'status'"
    ) == (["open", "resolved"],)
    assert audited.row(
        "SELECT count(*) > 0 FROM directus_activity WHERE action = 'create' AND collection = 'system_issues'"
    ) == (True,)


def test_the_load_is_not_taken_for_a_writer(audited: Database) -> None:
    assert audited.row("SELECT coalesce(sum(n_tup_ins), 0)::int FROM pg_stat_user_tables") == (0,)
