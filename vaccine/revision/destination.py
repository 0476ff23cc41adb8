"""The Alembic environment that revisions are written into: opened as the `alembic` command opens it, or refused."""

from __future__ import annotations

import configparser
import tomllib
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic import util
from alembic.config import Config
from alembic.script import ScriptDirectory

from vaccine.errors import AlembicEnvironmentError
from vaccine.operations.dry import alembic_command
from vaccine.plan.model import Plan

TOML = "pyproject.toml"
READS = "see that `alembic history` works there, and that script.py.mako is a revision template"
NO_LOCATION = (
    "add script_location under [alembic]; where a framework gives it (Flask-Migrate), make an alembic.ini beside with "
    "`[alembic]` and `script_location = migrations`, and name that with -c; or begin anew with vaccine init"
)
MULTIDB = (
    "the template of `alembic init -t multidb` makes functions for each database, and a revision of Vaccine is of one: "
    "use an environment of its own (vaccine init)"
)


@dataclass(frozen=True)
class Destination:
    """Where revisions go: the environment's alembic.ini, the head to build on, and the versions folder."""

    alembic_ini: Path
    head: str | None = None
    version_path: Path | None = None


def open_environment(alembic_ini: Path) -> ScriptDirectory:
    """The environment of an alembic.ini or of a pyproject.toml with [tool.alembic].

    Raises:
        AlembicEnvironmentError: there is none, or it cannot be read.
    """
    toml = alembic_ini if alembic_ini.name == TOML else Path(TOML)
    if not alembic_ini.is_file() and not (alembic_ini == Path("alembic.ini") and _has_alembic(toml)):
        raise AlembicEnvironmentError(
            f"there is no Alembic environment at {alembic_ini}",
            why="the file does not exist",
            fix="make one with: vaccine init, or name yours with -c path/to/alembic.ini",
        )
    ini = "alembic.ini" if toml == alembic_ini else alembic_ini
    try:
        # quiet: Alembic would print "Generating …" to stdout, which belongs to the paths
        config = Config(str(ini), toml_file=str(toml), cmd_opts=Namespace(quiet=True))
        return ScriptDirectory.from_config(config)
    except (util.CommandError, configparser.Error, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise unusable(alembic_ini, error) from None


def _has_alembic(toml: Path) -> bool:
    try:
        return "alembic" in tomllib.loads(toml.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


def refuse_twice(scripts: ScriptDirectory, plan: Plan, place: Destination) -> None:
    """One plan is one set of revisions: running the command again must not write them again.

    Raises:
        AlembicEnvironmentError: the environment has revisions of this plan, or some that cannot be read.
    """
    try:
        existing = list(scripts.walk_revisions())
    except Exception as error:  # noqa: BLE001  a revision of theirs may fail to import in any way
        raise unusable(place.alembic_ini, error) from None
    for script in existing:
        policy = getattr(script.module, "POLICY", None)
        if isinstance(policy, Mapping) and policy.get("plan") == plan.id:
            raise AlembicEnvironmentError(
                f"plan {plan.id} is already written",
                why=f"revision {script.revision} in {script.path} has it",
                fix=f"run {alembic_command(place.alembic_ini)} upgrade {script.revision}, or delete that file first",
            )


def head_of(scripts: ScriptDirectory, place: Destination) -> str:
    """The revision to stand on.

    Raises:
        AlembicEnvironmentError: there are several heads, and none was named.
    """
    heads = scripts.get_heads()
    if place.head in {None, "head"}:
        if len(heads) > 1:
            raise AlembicEnvironmentError(
                f"the environment has {len(heads)} heads",
                why=f"the revision could stand on any of {', '.join(heads)}",
                fix=f"name one: --head {heads[0]}; or begin a branch of its own: --head base",
            )
        return "head"
    assert place.head is not None
    if place.head == "heads":
        raise AlembicEnvironmentError("--head heads would make a merge", fix=f"name one of {', '.join(heads)}")
    return place.head


def unusable(place: Path, error: Exception) -> AlembicEnvironmentError:
    """The words for an environment that cannot take a revision, whatever it was that failed."""
    why, fix = f"{type(error).__name__}: {error}".strip().splitlines()[0], READS
    if "script_location" in why:
        fix = NO_LOCATION
    elif "Template rendering failed" in why:
        fix = f"{READS}; {MULTIDB}"
    return AlembicEnvironmentError(
        f"the Alembic environment of {place} cannot take the revision; nothing was written", why=why, fix=fix
    )
