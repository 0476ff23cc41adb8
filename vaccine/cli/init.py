"""`vaccine init`: an Alembic environment with all set."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from vaccine.cli.common import out, say
from vaccine.errors import AlembicEnvironmentError

FILES = {"alembic.ini": "alembic.ini", "env.py": "migrations/env.py", "script.py.mako": "migrations/script.py.mako"}


@click.command("init")
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--role-sql", is_flag=True, help="Print SQL that makes two roles for Vaccine, and make nothing.")
def command(directory: Path, *, role_sql: bool) -> None:
    """Make an Alembic environment in DIRECTORY (default: here): alembic.ini and migrations/.

    Its version table lives in the schema `vaccine`, so it never meets the application's own. Refuses
    to overwrite anything.
    """
    if role_sql:
        out(files("vaccine.revision.environment").joinpath("roles.sql").read_text(encoding="utf-8"), nl=False)
        return
    existing = [target for target in FILES.values() if (directory / target).exists()]
    if existing:
        raise AlembicEnvironmentError(
            f"{directory} already has {', '.join(existing)}; nothing was written",
            why="an environment is never overwritten",
            fix="use it as it is (vaccine revision plan.json -c alembic.ini), or name another folder",
        )
    try:
        for source, target in FILES.items():
            path = directory / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files("vaccine.revision.environment").joinpath(source).read_bytes())
            out(str(path))
        (directory / "migrations/versions").mkdir(exist_ok=True)
    except OSError as error:
        raise AlembicEnvironmentError(
            f"cannot write to {directory}", why=error.strerror or str(error), fix="name a folder that you may write to"
        ) from None
    where = "" if directory == Path() else f"cd {directory}, then "
    say(f"Next: {where}vaccine audit, vaccine plan -o plan.json, vaccine revision plan.json, alembic upgrade head")
