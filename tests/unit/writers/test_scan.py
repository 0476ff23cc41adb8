"""The audit's own writers; what is skipped and counted; the command; the baseline of `vaccine check`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vaccine.audit.sightings.evidence import as_evidence, failing_on_the_day
from vaccine.cli.writers import command
from vaccine.errors import UsageError
from vaccine.writers import KeySpec, Verdict, fingerprint, new_racing, racing
from vaccine.writers.fix.fix import fix, templates
from vaccine.writers.fix.patch import patch
from vaccine.writers.scan.grammar import grammars
from vaccine.writers.scan.rules import rules_of
from vaccine.writers.scan.shell import commands
from vaccine.writers.scanner import scan

AUDIT = Path(__file__).parents[2] / "writers" / "audit"
ISSUES = KeySpec(
    "public", "system_issues", ("violation_hash",), "status = 'open' AND violation_hash IS NOT NULL", "uq_open_hash"
)
TASKS = KeySpec("public", "tasks", ("code",), "code IS NOT NULL", "idx_tasks_code_unique")
DOCUMENTS = KeySpec(
    "public", "knowledge_documents", ("source_id",), "is_current AND source_id IS NOT NULL", "idx_kd_current"
)


def test_the_audits_writers() -> None:
    found = scan([AUDIT], keys=[ISSUES, TASKS, DOCUMENTS])
    verdicts = {(Path(one.file).name, one.scope, one.key.table): one.verdict for one in found.writers if one.key}
    assert verdicts == {
        ("env-contract-check.sh", "report_issue", "system_issues"): Verdict.FIND_THEN_INSERT,
        ("logrotate-config-check.sh", "", "system_issues"): Verdict.FIND_THEN_INSERT,
        ("rsyslog-health-check.sh", "", "system_issues"): Verdict.FIND_THEN_INSERT,
        ("directus_sync.py", "reportConfigError", "system_issues"): Verdict.FIND_THEN_INSERT,
        ("directus_sync.py", "_sync_document_atomic", "knowledge_documents"): Verdict.UPSERT_SERVED,
        ("dedupe.js", "report", "system_issues"): Verdict.FIND_THEN_INSERT,
        ("reconcile-knowledge.py", "reconcile", "knowledge_documents"): Verdict.BYPASSES,
        ("agent-data.js", "createTask", "tasks"): Verdict.PLAIN_INSERT,
    }
    assert len(failing_on_the_day(found, ISSUES)) == 5
    assert found.counts.read == 7
    evidence = as_evidence(found.writers[0])
    assert evidence.kind == "source"
    assert evidence.place.endswith(f":{found.writers[0].line}")


def test_every_failing_writer_has_a_fix_with_its_own_names() -> None:
    for writer in scan([AUDIT], keys=[ISSUES, TASKS, DOCUMENTS]).failing:
        text = fix(writer)
        assert writer.key is not None
        assert writer.key.columns[0] in text
        assert "@@" not in text
        assert any(word in text for word in ("RECORD_NOT_UNIQUE", "23505", "UniqueViolation"))


def test_every_fix_is_complete_for_hostile_names() -> None:
    key = KeySpec("odd schema", 'ta"ble', ("col'umn", "über"), "st = 'it''s'", 'i"x')
    writer = scan([AUDIT / "agent" / "agent-data.js"], keys=[TASKS]).writers[0]
    from dataclasses import replace

    for language in ("sql", "python", "javascript", "typescript", "bash", "ruby", "php", "go", "java"):
        for library in templates(language):
            text = fix(replace(writer, language=language, library=library, key=key))
            assert "@@" not in text
    python = fix(replace(writer, language="python", library="requests", key=key))
    compile(python, "fix.py", "exec")


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    (tmp_path / "good.sql").write_text("INSERT INTO tasks (code) VALUES ('a');")
    (tmp_path / "binary.py").write_bytes(b"INSERT INTO tasks\0\x01")
    (tmp_path / "latin.py").write_bytes("# é\nx = 1\n".encode("latin-1"))
    (tmp_path / "huge.js").write_text("x;\n" * 800_000)
    (tmp_path / "broken.py").write_text("def f(:\n  cur.execute('INSERT INTO tasks (code) VALUES (%s)'\n}}}")
    (tmp_path / "deep.js").write_text("f(" * 3000)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "x.js").write_text("db('tasks').insert({code})")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "test_x.py").write_text("")
    os.mkfifo(tmp_path / "pipe.py")
    found = scan([tmp_path], keys=[TASKS])
    assert sorted({Path(one.file).name for one in found.writers}) == ["broken.py", "good.sql"]
    assert dict(found.counts.skipped) == {
        "binary file": 1,
        "not UTF-8": 1,
        "huge file": 1,
        "other kind of file": 1,
        "broken link or special file": 2,
        "vendored or built folder": 1,
        "folder seen before (a link)": 1,
        "folder of tests": 1,
        "test file": 1,
    }


def test_tests_and_seeds_are_read_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.sql").write_text("INSERT INTO tasks (code) VALUES ('a');")
    assert not scan([tmp_path], keys=[TASKS]).writers
    assert len(scan([tmp_path], keys=[TASKS], everything=True).writers) == 1


def test_fingerprints_stay_when_lines_move_and_new_writers_are_told(tmp_path: Path) -> None:
    file = tmp_path / "a.rb"
    code = "def report(h)\n  return if Task.find_by(code: h)\n  Task.create!(code: h)\nend\n"
    file.write_text(code)
    before = racing(scan([tmp_path]))
    assert len(before) == 1
    file.write_text("\n\n\n" + code)
    known = {fingerprint(before[0])}
    assert not new_racing(scan([tmp_path]), known)
    file.write_text(code + code.replace("report", "report_again"))
    assert [one.scope for one in new_racing(scan([tmp_path]), known)] == ["report_again"]


def test_every_rule_is_well_formed_and_says_what_it_is_for() -> None:
    from vaccine.writers.scan.grammar import RULES

    rules = {rule.id: rule for language in grammars() for rule in rules_of(language)}
    assert len(rules) >= 70
    assert {"curl", "psql"} <= set(commands())
    for folder in RULES.iterdir():
        for file in folder.iterdir():
            assert file.read_text("utf-8").startswith("# "), f"{file} does not say what it is for"


def _run(*arguments: str):
    return CliRunner().invoke(command, arguments, standalone_mode=False)


WHERE = ("--key", "system_issues.violation_hash", "--where", ISSUES.predicate or "")


def test_the_table_names_place_and_verdict() -> None:
    result = _run(str(AUDIT), *WHERE)
    assert result.return_value == 1
    assert "find-then-insert" in result.stdout
    assert "5 writers, 5 of them fail or race; 7 files" in result.stderr


def test_json_and_sarif_are_data_alone() -> None:
    document = json.loads(_run(str(AUDIT), *WHERE, "--format", "json").stdout)
    assert {one["table"] for one in document["writers"]} == {"system_issues"}
    assert all(one["fix"] for one in document["writers"])
    log = json.loads(_run(str(AUDIT), *WHERE, "--format", "sarif").stdout)
    results = log["runs"][0]["results"]
    assert len(results) == 5
    assert all(one["locations"][0]["physicalLocation"]["region"]["startLine"] > 1 for one in results)


def test_fixes_are_printed() -> None:
    assert "post_or_reuse()" in _run(str(AUDIT / "dots"), *WHERE, "--fixes").stdout


def test_nothing_that_fails_is_status_0(tmp_path: Path) -> None:
    assert _run(str(tmp_path)).return_value == 0


@pytest.mark.parametrize(
    "arguments", [("--patch",), ("--where", "a"), ("--key", "tasks"), ("--key", "a.b", "--key", "a.c", "--index", "x")]
)
def test_bad_words_are_a_usage_error(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = _run(str(tmp_path), *arguments)
    assert isinstance(result.exception, UsageError)


def test_the_patch_of_the_audits_tree_applies_and_leaves_the_unsafe_out(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(AUDIT, tmp_path / "code")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        diff = patch(scan([Path("code")], keys=[ISSUES, TASKS, DOCUMENTS]))
        subprocess.run(["git", "apply", "-"], input=diff.text, text=True, check=True)
    finally:
        os.chdir(here)
    left = {line.partition(":")[0].rpartition("/")[2] for line in diff.left_out}
    # -o and -w print a form of their own; the ItemsService has no safe patch
    assert left == {"rsyslog-health-check.sh", "dedupe.js"}
    assert diff.patched == 5
    compile((tmp_path / "code/agent/directus_sync.py").read_text(), "directus_sync.py", "exec")
    for script in ("env-contract-check.sh", "logrotate-config-check.sh"):
        subprocess.run(["bash", "-n", str(tmp_path / "code/dots" / script)], check=True)


def test_a_missing_library_is_said_and_help_needs_none() -> None:
    code = (
        "import sys; sys.modules['ast_grep_py'] = None; sys.modules['sqlglot'] = None\n"
        "from vaccine.cli import cli\n"
        "import vaccine.writers, vaccine.writers.scanner, vaccine.audit.sightings.source\n"
        "from vaccine.errors import UsageError\n"
        "try: vaccine.writers.scanner.scan([])\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'vaccine[writers]'" in done.stdout
