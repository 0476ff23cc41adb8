"""The real commands, run as a user runs them: in a folder, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import psycopg
from click.testing import CliRunner, Result

from vaccine.cli import cli
from vaccine.errors import VaccineError


@dataclass(frozen=True)
class Shell:
    """A folder and a database to run commands against; VACCINE_URL names the database."""

    folder: Path
    url: str

    def run(
        self,
        program: str,
        *arguments: str,
        status: int | None = 0,
        url: str | None = None,
        given: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `vaccine` or `alembic` with `given` on its standard input; see that it ends with `status` (None: any)."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("PG") and name != "DATABASE_URL"
        }
        done = subprocess.run(
            [sys.executable, "-m", program, *arguments],
            cwd=self.folder,
            env={**kept, "VACCINE_URL": url or self.url, "COLUMNS": "120"},
            input=given or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert status in {None, done.returncode}, (
            f"{program} {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        assert "Traceback" not in done.stderr
        return done

    def quickly(self, *arguments: str) -> Result:
        """`vaccine …` in this process: no start of an interpreter. An error is in `exception`, and is no traceback."""
        old = Path.cwd()
        os.chdir(self.folder)
        try:
            done = CliRunner().invoke(cli, arguments, env={"VACCINE_URL": self.url, "COLUMNS": "120"})
        finally:
            os.chdir(old)
        said = (VaccineError, click.ClickException, SystemExit, psycopg.Error, type(None))
        if not isinstance(done.exception, said):
            raise done.exception
        return done

    def vaccine(
        self, *arguments: str, status: int | None = 0, url: str | None = None, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`vaccine …`."""
        return self.run("vaccine", *arguments, status=status, url=url, given=given)

    def alembic(self, *arguments: str, status: int = 0, url: str | None = None) -> subprocess.CompletedProcess[str]:
        """`alembic …`; any error of a revision ends with 255, which is Alembic's."""
        return self.run("alembic", *arguments, status=status, url=url)
