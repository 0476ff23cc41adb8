"""The audit of the audited database says what the report said, by the command line, on every version."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

GUARDED_AMONG = {"agents", "knowledge_documents", "universal_rule_violations", "taxonomy_facets", "dot_tools"}
LOGS = {"registry_changelog", "birth_registry", "measurement_log", "lifecycle_log"}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "vaccine", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.every_version
def test_the_matrix_of_the_report(audit_database: str) -> None:
    done = _run("audit", "--url", audit_database, "--format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    keys = {(f["table"], *f["columns"]): f for f in report["findings"]}
    by_priority = {
        priority: {key for key, f in keys.items() if f["priority"] == priority}
        for priority in ("high", "medium", "low", "guarded", "intentional", "log")
    }
    assert report["tables_audited"] == 168
    assert report["statements_run"] > 100
    assert by_priority["high"] == {("system_issues", "violation_hash")}
    assert by_priority["medium"] == {("tasks", "code")}
    assert by_priority["low"] >= {
        ("categories", "slug"), ("posts", "slug"), ("forms", "key"), ("help_articles", "slug"),
        ("help_collections", "slug"), ("workflow_change_requests", "code"),
    }  # fmt: skip
    assert {table for table, *_ in by_priority["guarded"]} >= GUARDED_AMONG
    assert ("system_issues", "code") in by_priority["guarded"]
    assert ("system_issues", "business_logic_hash") in by_priority["intentional"]
    assert {table for table, *_ in by_priority["log"]} >= LOGS
    assert keys["knowledge_documents", "source_id"]["guarded_by"] == ["idx_kd_current_source_id_unique"]
    assert keys["universal_rule_violations", "violation_hash"]["guarded_by"] == ["uq_open_violation_hash"]


def test_the_damaged_key_is_told_whole(audit_database: str) -> None:
    report = json.loads(_run("audit", "--url", audit_database, "--format", "json").stdout)
    finding = report["findings"][0]
    assert (finding["table"], finding["columns"]) == ("system_issues", ["violation_hash"])
    assert (finding["rows"], finding["distinct"]) == (165, 148)
    assert (finding["live_duplicate_groups"], finding["live_excess_rows"]) == (2, 2)
    assert finding["predicate"] == "status = 'open' AND violation_hash IS NOT NULL"
    assert any("universal_rule_violations (uq_open_violation_hash)" in text for text in finding["siblings"])
    assert finding["lifecycle"]["predicate"] == "status = 'open'"
    assert finding["lifecycle"]["assign"] == {"status": "resolved", "resolved_at": {"sql": "now()"}}
    assert finding["lifecycle"]["survivor"] == ["last_seen_at DESC NULLS LAST", "id DESC"]
    groups = {tuple(group["key"]): group["ids"] for group in finding["details"]["groups"]}
    assert groups == {("44815e74c3d0f846",): ["3896", "3994"], ("9cc0eb3d7958f6cf",): ["3884", "3999"]}
    by_value = {one["value"]: one["groups"] for one in finding["details"]["duplicates_by_value"]}
    assert by_value == {"open": 2, "resolved": 8}


def test_the_terminal_has_the_damage_on_top_and_says_what_to_run(audit_database: str) -> None:
    done = _run("audit", "--url", audit_database)
    lines = done.stdout.splitlines()
    assert lines[1].startswith("HIGH")
    assert "system_issues.violation_hash" in lines[1]
    assert "44815e74c3d0f846: 2 rows, ids 3896 3994 (the first would stay)" in done.stdout
    assert "none wrote" in done.stdout
    assert "Next: vaccine plan -o plan.json" in done.stdout
    assert "27 of Directus" in done.stdout


def test_fail_on_sets_the_exit_status(audit_database: str) -> None:
    assert _run("audit", "--url", audit_database, "--fail-on", "high").returncode == 1
    assert (
        _run("audit", "--url", audit_database, "--exclude", "public.system_issues", "--fail-on", "high").returncode == 0
    )
