"""The demo's story, without a server: what is typed, and what happens when a command ends otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vaccine.demo import story
from vaccine.demo.server import Server, _reachable
from vaccine.errors import RefusedError


def told(folder: Path, step: story.Act) -> str:
    text: list[str] = []
    story._run(step, folder, {"PATH": os.environ["PATH"]}, text.append)
    return "".join(text)


def test_a_step_shows_its_command_and_all_that_it_prints(tmp_path: Path) -> None:
    assert told(tmp_path, story.Act("echo out; echo err >&2")) == "$ echo out; echo err >&2\nout\nerr\n"


def test_an_expected_failure_is_part_of_the_story(tmp_path: Path) -> None:
    assert told(tmp_path, story.Act("exit 3", status=3)) == "$ exit 3\n"


@pytest.mark.parametrize("step", [story.Act("false"), story.Act("true", status=3)])
def test_any_other_end_stops_the_story(tmp_path: Path, step: story.Act) -> None:
    with pytest.raises(RefusedError, match=f"from: {step.command}"):
        told(tmp_path, step)


def test_the_shell_sees_only_the_demos_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPASSWORD", "PGSERVICE", "VACCINE_URL", "DATABASE_URL"):
        monkeypatch.setenv(name, "of another database")
    server = Server(tmp_path, tmp_path, 54321, None)
    seen = story._environment(server, tmp_path, tmp_path)
    assert "of another database" not in seen.values()
    assert (seen["PGHOST"], seen["PGPORT"], seen["PGDATABASE"]) == ("127.0.0.1", "54321", "directus")
    assert sys.executable in (tmp_path / "bin/vaccine").read_text()


def test_binaries_that_nobody_reaches_are_copied_with_the_libraries_of_their_wheel(tmp_path: Path) -> None:
    site, home = tmp_path / "site", tmp_path / "home"
    bindir = site / "package" / "pginstall" / "bin"
    bindir.mkdir(parents=True)
    (site / "package.libs").mkdir()
    (site / "package.libs" / "libpq.so").write_text("found")
    tool = bindir / "initdb"
    tool.write_text('#!/bin/sh\ncat "$(dirname "$0")/../../../package.libs/libpq.so"\n')
    tool.chmod(0o700)
    site.chmod(0o700)
    home.mkdir()
    copied = _reachable(bindir, home)
    assert copied.is_relative_to(home)
    assert subprocess.run([copied / "initdb"], capture_output=True, text=True, check=True).stdout == "found"
    for path in (home / "copies").rglob("*"):
        assert path.stat().st_mode & 0o004, path
    assert (copied / "initdb").stat().st_mode & 0o005 == 0o005
