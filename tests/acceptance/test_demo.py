"""`vaccine demo` tells the whole story and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def rooms() -> Iterator[tuple[Path, Path]]:
    """An empty HOME and an empty folder for temporary files, which the server's account can reach."""
    made = [Path(tempfile.mkdtemp(prefix="demo-")) for _ in range(2)]
    for folder in made:
        folder.chmod(0o755)
    yield made[0], made[1]
    for folder in made:
        shutil.rmtree(folder)


def test_the_demo_tells_the_whole_story_and_leaves_nothing_behind(rooms: tuple[Path, Path]) -> None:
    home, temporary = rooms
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temporary), "VACCINE_URL": "ignored"}
    done = subprocess.run(
        [sys.executable, "-m", "vaccine", "demo"],
        cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    assert done.stderr == ""
    audits = re.split(r"^\$ vaccine audit.*$", said, flags=re.MULTILINE)
    assert len(audits) == 3
    assert re.search(r"^HIGH +system_issues\.violation_hash +165 +148 ", audits[1], re.MULTILINE)
    assert not re.search(r"^HIGH", audits[2], re.MULTILINE)
    assert re.search(r"^MEDIUM +tasks\.code +10 +10 ", audits[2], re.MULTILINE)
    told = [
        "168 tables audited: 1 high, 1 medium",
        "$ vaccine plan -o plan.json",
        "keep     3896",
        "resolve  3994",
        "keep     3884",
        "resolve  3999",
        "$ alembic upgrade head",
        "resolved 2 rows of public.system_issues (violation_hash)",
        'violates unique constraint "uq_system_issues_open_violation_hash"',
        "INSERT 0 0",
        "$ vaccine plan tasks.code -o tasks.json",
        "$ alembic upgrade head",
        "verified uq_tasks_code on public.tasks (code): valid and ready",
        'violates unique constraint "uq_tasks_code"',
        "$ alembic downgrade -1",
        "$ alembic downgrade base",
        "restored 2 rows of public.system_issues",
        "$ cmp schema.before schema.after && cmp rows.before rows.after",
        "The database has its first state again",
    ]
    place = 0
    for line in told:
        place = said.find(line, place) + len(line)
        assert place >= len(line), line
    assert list(home.iterdir()) == list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing_behind_either(rooms: tuple[Path, Path], number: signal.Signals) -> None:
    home, temporary = rooms
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "vaccine", "demo"]
    with subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("$ vaccine audit"):
                process.send_signal(number)
                break
        process.stdout.read()
    assert process.returncode != 0
    assert list(home.iterdir()) == list(temporary.iterdir()) == []
