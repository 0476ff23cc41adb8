"""vaccine.toml: what it may say, and that a misspelling is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from vaccine.audit.config import Config, load
from vaccine.audit.finding import Expression
from vaccine.errors import ConfigurationError

FULL = """
exclude = ["legacy.*"]
schemas = ["public"]
budget_s = 30
jobs = 2

[[accept]]
key = "public.tasks.code"
reason = "numbered by hand"
until = 2027-01-31

[[lifecycle]]
key = 'issues."Hash"'
predicate = "status = 'open'"
assign = { status = "resolved", gone_at = { sql = "now()" } }
survivor = ["last_seen_at DESC NULLS LAST"]
keep = [["42", 7], "43"]
name = "one_open"
max_rows = 3
gate = "always"
"""


def test_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "vaccine.toml").write_text(FULL)
    config = load(folder=tmp_path)
    assert (config.exclude, config.schemas, config.budget_s, config.jobs) == (("legacy.*",), ("public",), 30, 2)
    assert config.accepted_on(date(2027, 1, 31)) == {
        ("public", "tasks", ("code",)): "numbered by hand (until 2027-01-31)"
    }
    assert config.accepted_on(date(2027, 2, 1)) == {}
    override = config.lifecycle["public", "issues", ("Hash",)]
    assert override.predicate == "status = 'open'"
    assert override.assign == (("status", "resolved"), ("gone_at", Expression("now()")))
    assert (override.keep, override.name, override.max_rows, override.gate) == (
        (("42", "7"), ("43",)), "one_open", 3, "always"
    )  # fmt: skip


def test_pyproject_and_nothing(tmp_path: Path) -> None:
    assert load(folder=tmp_path) == Config()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert load(folder=tmp_path) == Config()
    (tmp_path / "pyproject.toml").write_text("[tool.vaccine]\nschemas = ['a']\n")
    assert load(folder=tmp_path).schemas == ("a",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exclude = 'x'", "exclude is no list of texts"),
        ("[[lifecycle]]\nkey = 'a.b'\nkeep = 4", "keep is no list of primary keys"),
        ("[[lifecycle]]\nkey = 'a.b'\nmax_rows = 1.5", "max_rows = 1.5 is no whole number"),
        ("[[lifecycle]]\nkey = 'a.b'\ngate = 'open'", "gate = 'open' is unknown"),
        ("budget_s = -1", "no number of 0 or more"),
        ("budget = 3", "says budget, which Vaccine does not know"),
        ("[[accept]]\nkey = 'public.t.c'", "has no reason"),
        ("[[accept]]\nreason = 'x'", "names no key"),
        ("[[accept]]\nkey = 'nonsense'\nreason = 'x'", "names no key"),
        ("[[accept]]\nkey = 'public.t.c'\nreason = 'x'\nuntil = 'soon'", "is no date"),
        ("[[lifecycle]]\nkey = 'public.t.c'\nassign = { a = [1] }", "neither a plain value nor an expression"),
        ("[[lifecycle]]\nkey = 'public.t.c'\nwhere = 'x'", "says where"),
        ("accept = 3", "no list of tables"),
        ("= 3", "cannot be read as TOML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "vaccine.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load(folder=tmp_path)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        load(tmp_path / "absent.toml")
