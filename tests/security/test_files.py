"""Files that are read unasked, or that somebody edited: refused in words, and nothing outside the project touched."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.unit.plan.plans import plan
from vaccine.audit.check import read_baseline
from vaccine.audit.config import load
from vaccine.cli.common import write_text
from vaccine.errors import ConfigurationError, PlanFileError
from vaccine.plan import file as planfile
from vaccine.writers.scan.walk import Tally, files

KEY = "[[lifecycle]]\nkey = 'public.t.a'\n"
REFUSED = {
    "vaccine.toml": [
        "jobs = 1e400",
        "jobs = nan",
        "jobs = 0",
        "jobs = 100000",
        "budget_s = inf",
        "min_score = nan",
        "budget_s = 1e400",
        "schemas = [['a']]",
        "baseline = '../../etc/passwd'",
        "baseline = '/etc/passwd'",
        "exclude = ['a\\u0000b']".replace("'", '"'),
        "x = " + "[" * 5000,
        KEY + "survivor = [1]",
        KEY + "survivor = [['id']]",
        KEY + "survivor = 'id'",
        KEY + "max_rows = 1e400",
        KEY + "keep = [[['a']]]",
        KEY + "assign = { a = [1] }",
        "[[lifecycle]]\nkey = ['a']",
        "lifecycle = 5",
    ],
    "pyproject.toml": ["[tool]\nvaccine = 5", "[tool]\nvaccine = []", "[[tool.vaccine]]\njobs = 1"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts])
def test_a_configuration_that_cannot_be_is_refused_in_words(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(folder=tmp_path)
    assert len(str(caught.value)) < 1500


def test_a_tool_that_is_no_table_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool = 5")
    assert load(folder=tmp_path).path is None


def test_a_baseline_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    for path in (tmp_path, tmp_path / "deep.json"):
        with pytest.raises(ConfigurationError, match="is no baseline"):
            read_baseline(path)


EDITS: dict[str, tuple[Any, str]] = {
    "max_rows": ("1", "max_rows is str '1', and no int"),
    "columns": ([["a"]], r"columns\[0\] is a list, and no str"),
    "survivor": ([1], r"survivor\[0\] is int 1, and no str"),
    "gate": ("perhaps", "gate is 'perhaps'"),
    "where": (["TRUE"], "where is a list"),
    "assign": ([["status", {"sql": "now()", "more": 1}]], "'more', which is unknown"),
    "keep": ([["1", "2"]], "max_rows or keep cannot be"),
    "schema": ("", "a name is empty"),
    "table": ("a\0b", "no str"),
    "index_name": ("\ud800", "no str"),
    "rows": (True, "rows is bool True"),
    "sly": ("x", "'sly', which is unknown"),
    "estimate": ({}, "estimate has no"),
    "up": ([{"title": "t", "statements": [{"sql": "x", "lock": "NO LOCK", "note": ""}], "note": ""}], "no LockMode"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_plan_whose_digest_was_made_anew_is_still_of_its_form(tmp_path: Path, name: str) -> None:
    value, said = EDITS[name]
    document = json.loads(planfile.dump(plan()))
    document["vaccinations"][0][name] = value
    body = {name: each for name, each in document.items() if name not in {"vaccine_plan", "id", "digest"}}
    document["digest"] = planfile._digest(body)
    document["id"] = document["digest"][:8]
    (tmp_path / "plan.json").write_text(json.dumps(document))
    with pytest.raises(PlanFileError, match=said):
        planfile.load(tmp_path / "plan.json")


def test_a_plan_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("an older one, readable by all")
    path.chmod(0o644)
    write_text(path, planfile.dump(plan()), private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert planfile.load(path) == plan()
    write_text(Path("/dev/null"), "x", private=True)
    with pytest.raises(ConfigurationError, match="cannot write"):
        write_text(tmp_path / "none" / "plan.json", "x", private=True)


def test_links_out_of_a_source_tree_are_not_followed(tmp_path: Path) -> None:
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    (outside / "folder").mkdir(parents=True)
    (tree / "inner").mkdir(parents=True)
    for path in (outside / "secret.py", outside / "folder/secret.py", tree / "inner/own.py"):
        path.write_text("x = 1\n")
    (tree / "file.py").symlink_to(outside / "secret.py")
    (tree / "folder").symlink_to(outside / "folder")
    (tree / "within.py").symlink_to(tree / "inner/own.py")
    (tree / "loop").symlink_to(tree)
    tally = Tally()
    assert [path.name for path in files([tree], frozenset({"py"}), tally)] == ["own.py", "within.py"]
    assert tally.skipped["link out of the tree"] == 2
    assert [path.name for path in files([tree / "file.py"], frozenset({"py"}), tally)] == ["file.py"]  # asked for
