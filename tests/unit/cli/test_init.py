"""`vaccine init` makes an environment that Alembic reads, and never overwrites one."""

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from click.testing import CliRunner

from vaccine.cli.init import FILES, command
from vaccine.errors import AlembicEnvironmentError

ROOT = Path(__file__).parents[3]


def test_the_environment_is_complete(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(tmp_path / "new")], catch_exceptions=False)
    assert done.exit_code == 0
    scripts = ScriptDirectory.from_config(Config(str(tmp_path / "new/alembic.ini")))
    assert scripts.get_heads() == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text("mine")
    with pytest.raises(AlembicEnvironmentError, match=r"already has alembic\.ini"):
        CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
    assert (tmp_path / "alembic.ini").read_text() == "mine"
    assert not (tmp_path / "migrations").exists()


@pytest.mark.parametrize(("source", "target"), FILES.items())
def test_the_projects_own_environment_is_the_same(source: str, target: str) -> None:
    assert (ROOT / "vaccine/revision/environment" / source).read_bytes() == (ROOT / target).read_bytes()
