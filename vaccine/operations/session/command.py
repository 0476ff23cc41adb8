"""The `alembic` commands that are advised: in the same environment, and of one revision alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

PLAIN = re.compile(r"[\w.-]{1,63}", re.ASCII)  # of an `-x` value that is shown
SECRET = re.compile(r"url|uri|dsn|pass|pw|secret|token|key|credential", re.IGNORECASE)


def undo_target(revision: str, below: str | None) -> str:
    """What `alembic downgrade` takes to undo one revision and what stands on it, and nothing of other branches.

    The revision below alone would drop every branch that leaves there, and `base` every branch there is.
    """
    return f"{shlex.quote(revision)}@{shlex.quote(below or 'base')}"


def alembic_command(alembic_ini: Path | None = None, section: str = "alembic", given: Sequence[str] = ()) -> str:
    """`alembic`, with what chose the environment: `-c`, `-n` and the `-x` of env.py, of which no secret is shown."""
    words = ["alembic"]
    if alembic_ini is not None and alembic_ini.resolve() != Path("alembic.ini").resolve():
        words += ["-c", shlex.quote(str(alembic_ini))]
    if section != "alembic":
        words += ["-n", shlex.quote(section)]
    for each in given:
        name, _, value = each.partition("=")
        if not name.startswith("vaccine."):
            shown = PLAIN.fullmatch(name) and PLAIN.fullmatch(value) and not SECRET.search(name)
            words += ["-x", each if shown else f"{name if PLAIN.fullmatch(name) else ''}=…"]
    return " ".join(words)


def alembic_again(context: MigrationContext) -> str:
    """`alembic`, in the environment that runs."""
    environment, config = context.environment_context, context.config
    if environment is None or config is None:
        return alembic_command()
    return alembic_command(_file(config), config.config_ini_section, list(environment.get_x_argument()))


def _file(config: Config) -> Path | None:
    return Path(config.config_file_name) if config.config_file_name else None
