"""Other people's environments: where they are found, and what is said where they cannot take a revision."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from tests.unit.plan.plans import plan
from vaccine.errors import AlembicEnvironmentError
from vaccine.revision.destination import Destination
from vaccine.revision.write import write_revisions

TEMPLATES = Path(__file__).parents[3] / "vaccine/revision/environment"


def made(folder: Path, template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    folder.joinpath("pyproject.toml").write_text('[project]\nname = "app"\n')
    command.init(Config("alembic.ini", toml_file="pyproject.toml"), "migrations", template=template)


@pytest.mark.parametrize("name", ["alembic.ini", "pyproject.toml"])
@pytest.mark.parametrize("ini", [True, False], ids=["beside an alembic.ini", "alone"])
def test_tool_alembic_of_pyproject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, ini: bool) -> None:
    made(tmp_path, "pyproject", monkeypatch)
    if not ini:
        Path("alembic.ini").unlink()
    (written,) = write_revisions(plan(), Destination(Path(name)))
    assert written.path.resolve().parent == tmp_path / "migrations/versions"


def test_one_without_a_script_location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flask-Migrate's: it gives the location itself."""
    monkeypatch.chdir(tmp_path)
    Path("migrations/versions").mkdir(parents=True)
    Path("migrations/alembic.ini").write_text("[alembic]\n[loggers]\nkeys = root\n")
    with pytest.raises(AlembicEnvironmentError, match="No 'script_location' key") as caught:
        write_revisions(plan(), Destination(Path("migrations/alembic.ini")))
    assert "Flask-Migrate" in caught.value.fix
    Path("alembic.ini").write_text("[alembic]\nscript_location = migrations\n")  # as it says
    for name in ("env.py", "script.py.mako"):
        shutil.copy(TEMPLATES / name, "migrations")
    assert write_revisions(plan(), Destination(Path("alembic.ini")))


def test_several_databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "multidb", monkeypatch)
    with pytest.raises(AlembicEnvironmentError, match="nothing was written") as caught:
        write_revisions(plan(), Destination(Path("alembic.ini")))
    assert "multidb" in caught.value.fix
    assert not list(tmp_path.rglob("versions/*.py"))


@pytest.mark.parametrize(
    ("name", "text"), [("alembic.ini", "[alembic\n"), ("alembic.ini", "x = 1"), ("pyproject.toml", "[tool\n")]
)
def test_a_file_that_does_not_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(text)
    with pytest.raises(AlembicEnvironmentError, match="cannot take the revision"):
        write_revisions(plan(), Destination(Path(name)))
