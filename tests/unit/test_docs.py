"""Every command, option, error and hazard is documented."""

import importlib
import pkgutil
import re
from pathlib import Path

import click
import pytest

import vaccine
from vaccine.cli import COMMANDS, cli
from vaccine.errors import VaccineError
from vaccine.operations.checks.every import EVERY
from vaccine.operations.checks.model import Check
from vaccine.operations.options import Options
from vaccine.plan.hazard_texts import CODES

DOCS = Path(__file__).parents[2] / "docs"
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def kinds() -> set[type[VaccineError]]:
    for module in pkgutil.walk_packages(vaccine.__path__, "vaccine."):
        if module.name.endswith("errors"):
            importlib.import_module(module.name)
    found, rest = set(), [VaccineError]
    while rest:
        kind = rest.pop()
        found.add(kind)
        rest += kind.__subclasses__()
    return found


@pytest.mark.parametrize("code", sorted({kind.code for kind in kinds()}))
def test_every_error_is_documented(code: str) -> None:
    assert f"### `{code}`\n" in text("errors.md")


def test_no_error_is_documented_that_does_not_exist() -> None:
    documented = set(re.findall(r"^### `(.+)`$", text("errors.md"), re.MULTILINE))
    assert documented == {kind.code for kind in kinds()}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_and_option_is_documented(name: str) -> None:
    section = text("commands.md").partition(f"## vaccine {name}\n")[2].partition("\n## ")[0]
    assert section
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    commands = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
    options = [each for one in commands for each in one.params if isinstance(each, click.Option) and not each.hidden]
    missing = [each.opts[-1] for each in options if each.opts[-1] != "--help" and f"`{each.opts[-1]}" not in section]
    assert not missing


@pytest.mark.parametrize("code", CODES)
def test_every_hazard_is_documented(code: str) -> None:
    assert f"`{code}`" in text("commands.md")


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.code)
def test_every_check_is_documented_as_it_speaks(check: Check) -> None:
    blocks = "a run" if check.elsewhere else "yes" if check.blocking else "no"
    assert f"| `{check.code}` | {blocks} | {check.text} | {check.fix} |" in text("checks.md").splitlines()


def test_no_check_is_documented_that_does_not_exist() -> None:
    documented = re.findall(r"^\| `(.+?)` \|", text("checks.md"), re.MULTILINE)
    assert documented == [check.code for check in EVERY]


@pytest.mark.parametrize("option", list(Options.__dataclass_fields__))
def test_every_knob_of_a_run_is_documented(option: str) -> None:
    assert f"`vaccine.{option}`" in text("commands.md")


def test_the_readme_names_both_commands() -> None:
    assert re.search(r"^ *make demo *$", README, re.MULTILINE)
    assert re.search(r"^ *make test *$", README, re.MULTILINE)
