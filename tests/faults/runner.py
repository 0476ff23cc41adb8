"""`alembic` many times over: one process that has everything imported, and forks for each command.

Run as `python -m tests.faults.runner`. It reads one JSON object a line ({"root", "url", "arguments", "output"})
and answers each with two lines: the child's process id, and, when it has ended, its exit status.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Runner:
    """The other end of it. `start` gives the process id of the command, `wait` its exit status and what it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.output = Path()

    def start(self, root: Path, url: str, arguments: Sequence[str]) -> int:
        assert self.process.stdin is not None
        self.output = root / "output"
        request = {"root": str(root), "url": url, "arguments": list(arguments), "output": str(self.output)}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def wait(self) -> tuple[int, str]:
        status = self._answer()
        return status, self.output.read_text(errors="replace")

    def run(self, root: Path, url: str, *arguments: str) -> tuple[int, str]:
        self.start(root, url, arguments)
        return self.wait()

    def _answer(self) -> int:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the runner has ended"
        return int(line)


@contextmanager
def runner() -> Iterator[Runner]:
    """A runner, ended at the end."""
    here = Path(__file__).parents[2]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    kept["PYTHONUNBUFFERED"] = "1"  # a child ends by os._exit: what it prints must not wait in a buffer
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.runner"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=here,
        env=kept,
    ) as process:  # fmt: skip
        try:
            yield Runner(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)


def _command(request: dict[str, Any]) -> int:
    from alembic.config import main

    os.chdir(request["root"])
    os.environ["VACCINE_URL"] = request["url"]
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    status = 0
    try:
        main(argv=request["arguments"], prog="alembic")
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:  # noqa: BLE001  a child of fork() must end here, whatever happens
        import traceback

        traceback.print_exc()
        status = 99
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _serve() -> None:
    import alembic.config  # noqa: F401  what the children need, imported once
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

    import vaccine.connect
    import vaccine.operations.index.build
    import vaccine.operations.invoke  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_command(request) & 255)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
