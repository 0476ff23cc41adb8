"""The story of the audit, told by the real commands on a server that exists only for it.

Each line after a `$` runs in a shell, in a temporary folder, as a person would type it; what it prints is shown as it
comes. Nothing is left behind.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

import vaccine
from vaccine.demo.database import load_audit_database
from vaccine.demo.server import Server, embedded_bindir, serve
from vaccine.errors import RefusedError

DATABASE = "directus"
DUMP = "pg_dump --restrict-key=demo --exclude-schema=vaccine"  # a key of its own would differ each time
# The id and the code are given: a number taken from the sequence would be a difference after the downgrade.
INSERT = """\
INSERT INTO system_issues (id, code, title, issue_class, source_system, violation_hash, last_seen_at)
VALUES (4002, 'ISS-4002', 'Synchronisation step failed', 'sync_fault', 'dieu31-runner', '44815e74c3d0f846', now())"""
UPSERT = f"{INSERT}\nON CONFLICT (violation_hash) WHERE status = 'open' AND violation_hash IS NOT NULL DO NOTHING"
TASK = """\
INSERT INTO tasks (id, code, description)
SELECT 11, code, 'the flow ran twice' FROM tasks WHERE id = 10"""


@dataclass(frozen=True, slots=True)
class Act:
    """One command line. `status` is the exit status that the story expects of it."""

    command: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading and the commands under it."""

    heading: str
    steps: tuple[Act, ...]


def psql(statement: str, status: int = 0) -> Act:
    """One SQL statement through psql, which ends with 3 when the server refuses it."""
    return Act(f"psql -X -v ON_ERROR_STOP=1 <<'SQL'\n{statement};\nSQL", status)


def dump(when: str) -> tuple[Act, Act]:
    """Structure and rows as files. The rows are sorted: an UPDATE moves a row within its table."""
    return (
        Act(f"{DUMP} --schema-only -f schema.{when}"),
        Act(f"{DUMP} -f whole.{when} && sort -o rows.{when} whole.{when}"),
    )


SCENES = (
    Chapter("The state before: structure, and every row of every table", dump("before")),
    Chapter("1. Which logical keys does nothing guard? (read-only)", (Act("vaccine audit"),)),
    Chapter("2. The dry run: which rows, which statements, which locks", (Act("vaccine plan -o plan.json"),)),
    Chapter(
        "3. The plan becomes an Alembic revision",
        (Act("vaccine init"), Act("vaccine revision plan.json"), Act("cat migrations/versions/*.py")),
    ),
    Chapter("4. Resolve the older row of each pair, then build the index", (Act("alembic upgrade head"),)),
    Chapter(
        "5. A writer that would make a duplicate is refused; one that says ON CONFLICT goes on",
        (psql(INSERT, status=3), psql(UPSERT)),
    ),
    Chapter("6. Nothing HIGH is left", (Act("vaccine audit --fail-on high"), Act("vaccine journal"))),
    Chapter(
        "7. The next priority, before its first duplicate: nothing to resolve, only an index to build",
        (
            Act("vaccine plan tasks.code -o tasks.json"),
            Act("vaccine revision tasks.json"),
            Act("alembic upgrade head"),
            psql(TASK, status=3),
        ),
    ),
    Chapter(
        "8. And back: the last one alone, then the first", (Act("alembic downgrade -1"), Act("alembic downgrade base"))
    ),
    Chapter(
        "9. The proof: not one byte differs",
        (
            *dump("after"),
            Act("cmp schema.before schema.after && cmp rows.before rows.after && wc -c schema.after rows.after"),
        ),
    ),
)


def tell(write: Callable[[str], None]) -> None:
    """Run the story on an embedded PostgreSQL 18.

    Args:
        write: takes the text as it comes, line ends included.

    Raises:
        UsageError: the embedded PostgreSQL is not installed.
        DatabaseError: it does not start.
        RefusedError: a command ended otherwise than the story says.
    """
    bindir = embedded_bindir()
    with serve(bindir) as server, tempfile.TemporaryDirectory(prefix="vaccine-demo-") as folder:
        _load(server)
        with psycopg.connect(server.url_of(DATABASE)) as connection:
            release = connection.info.parameter_status("server_version")
        write(f"The audited database, on PostgreSQL {release} in a temporary folder. Nothing will be left behind.\n")
        environment = _environment(server, bindir, Path(folder))
        for scene in SCENES:
            write(f"\n# {scene.heading}\n")
            for step in scene.steps:
                _run(step, Path(folder) / "work", environment, write)
    write("\nThe database has its first state again, and the server is gone.\n")


def _load(server: Server) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    with psycopg.connect(server.url_of(DATABASE), autocommit=True) as connection:
        load_audit_database(connection)


def _environment(server: Server, bindir: Path, folder: Path) -> Mapping[str, str]:
    """The shell's environment: this server by libpq's variables, this Python's `vaccine` and `alembic` first."""
    commands = folder / "bin"
    commands.mkdir()
    for name in ("vaccine", "alembic"):
        path = commands / name
        path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {name} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    (folder / "work").mkdir()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "VACCINE_")) and name != "DATABASE_URL"
    }
    package = str(Path(vaccine.__file__).resolve().parent.parent)
    return {
        **kept,
        "PATH": os.pathsep.join([str(commands), str(bindir), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
        "PGDATABASE": DATABASE,
    }


def _run(step: Act, folder: Path, environment: Mapping[str, str], write: Callable[[str], None]) -> None:
    write(f"$ {step.command}\n")
    with _started(step.command, folder, environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            write(line.replace(f"{folder}/", ""))
    if process.returncode != step.status:
        raise RefusedError(
            "the story stopped: a command did not end as it should",
            why=f"exit status {process.returncode} instead of {step.status} from: {step.command}",
            fix="read its message above; vaccine demo starts afresh each time",
        )


@contextmanager
def _started(command: str, folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The command in a shell; killed when the story is interrupted."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    with process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise
