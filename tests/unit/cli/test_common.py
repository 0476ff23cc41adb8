"""What options name: the right kind of file, or words."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from rich.table import Table

from vaccine.cli import _driver_message
from vaccine.cli.common import console, read_plan, write_text
from vaccine.cli.plan import command
from vaccine.errors import ConfigurationError, PlanFileError


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("nope.ini", None, "there is no file"),
        ("vaccine.toml", "schemas = ['public']", "give it with --settings"),
        ("pyproject.toml", "[tool.vaccine]\n", "is no alembic.ini"),
        ("other.ini", "[server]\nport = 1\n", "is no alembic.ini"),
        ("bytes.ini", "\udcff", "is no alembic.ini"),
        ("alembic.ini", "[alembic]\nscript_location = migrations\n", None),
        ("flask.ini", "[alembic]\n", None),
        ("many.ini", "[billing]\nscript_location = billing\n", None),
        ("pyproject.toml", "[tool.alembic]\nscript_location = 'migrations'\n", None),
    ],
)
def test_an_alembic_ini_is_known_from_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str | None, said: str | None
) -> None:
    monkeypatch.setenv("VACCINE_URL", "mysql://nowhere")  # refused behind the options, before anything is connected to
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text.encode(errors="surrogateescape"))
    error = CliRunner().invoke(command, ["-c", str(path)]).exception
    assert isinstance(error, Exception)
    assert (said or "does not name a PostgreSQL database") in str(error)


def test_a_file_that_cannot_be_written_or_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write"):
        write_text(tmp_path / "no folder" / "x", "text")
    with pytest.raises(PlanFileError, match="cannot read"):
        read_plan(tmp_path / "nope.json")


def test_what_is_piped_has_no_blanks_at_line_ends(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("a", "b", box=None)
    table.add_row("1", "two words")
    table.add_row("a long cell", "x")
    console(40).print(table)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines][1] == ["1", "two", "words"]
    assert lines == [line.rstrip() for line in lines]


def test_a_right_that_lacks_is_told_with_the_grant() -> None:
    error = psycopg.errors.InsufficientPrivilege("permission denied for schema vaccine")
    said = _driver_message(error)
    assert "permission denied for schema vaccine (42501)" in said
    assert "GRANT USAGE ON SCHEMA vaccine" in said
    with pytest.raises(ValueError, match="a bug"):
        _driver_message(ValueError("a bug"))
