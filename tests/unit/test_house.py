"""The house: import contracts bite, a class name means one thing, and nothing lies flat but what users' files pin."""

import ast
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLAT = {"__init__.py", "__main__.py", "connect.py", "errors.py", "journal.py"}

BREACHES = [
    ("operations/rows/find.py", "import vaccine.audit.run"),
    ("operations/key.py", "import vaccine.connect"),
    ("plan/build.py", "import vaccine.operations.rows.resolve"),
    ("journal.py", "import vaccine.operations.session.run"),
    ("plan/build.py", "import vaccine.cli.common"),
    ("audit/run.py", "import vaccine.report.words"),
    ("operations/session/run.py", "import vaccine.operations.rows.journal"),  # session below rows
    ("candidates/score.py", "import vaccine.audit.finding"),
]


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    lint = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([lint, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "vaccine", tmp_path / "vaccine", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_house_keeps_its_contracts(copy: Path) -> None:
    kept = contracts(copy)
    assert kept.returncode == 0, kept.stdout


@pytest.mark.parametrize(("where", "line"), BREACHES)
def test_an_import_that_breaks_a_contract_fails(copy: Path, where: str, line: str) -> None:
    path = copy / "vaccine" / where
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    broken = contracts(copy)
    assert broken.returncode == 1
    named = line.removeprefix("import ") in broken.stdout
    assert named or ".session -> .rows" in broken.stdout


def test_lint_asks_the_contracts() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "lint-imports" in makefile.partition("\nlint:")[2].partition("\n\n")[0]


def test_a_class_name_means_one_thing() -> None:
    defined = defaultdict(set)
    for path in (ROOT / "vaccine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                defined[node.name].add(str(path.relative_to(ROOT)))
    assert {name: places for name, places in defined.items() if len(places) > 1} == {}


def test_nothing_lies_flat_at_the_root() -> None:
    assert {path.name for path in (ROOT / "vaccine").glob("*.py")} == FLAT


def test_every_exit_escapes_what_a_terminal_would_obey() -> None:
    """`out` and `say` do; a patch and the demo's programs are passed on as they are."""
    raw = {path.name for path in (ROOT / "vaccine").rglob("*.py") if "click.echo(" in path.read_text(encoding="utf-8")}
    assert raw == {"common.py", "__init__.py", "writers.py", "demo.py"}
    unescaped = [path for path in (ROOT / "vaccine").rglob("*.py") if "ensure_ascii=False" in path.read_text("utf-8")]
    assert {path.name for path in unescaped} <= {"printable.py", "fix.py"}  # the latter writes code, not a document


def test_unit_tests_start_no_server() -> None:
    fixtures = {"server", "database", "connection", "audit_database", "server_pool"}
    asking = {
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in (ROOT / "tests/unit").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and fixtures & {each.arg for each in node.args.args}
        if node.name.startswith("test_")
    }
    assert asking == set()
