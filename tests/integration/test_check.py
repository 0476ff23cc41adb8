"""`vaccine check` in CI: what fails it, and what a baseline and vaccine.toml let pass."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

WRITER = """
import requests

def make(code):
    url = "http://directus/items/tasks"
    found = requests.get(url, params={"filter[code][_eq]": code, "limit": 1}).json()["data"]
    if not found:
        requests.post(url, json={"code": code})
"""


def _check(folder: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vaccine", "check", "--url", url, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.fixture
def tasks(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE tasks (id int PRIMARY KEY, slug text, title text)")
    connection.execute("INSERT INTO tasks SELECT n, 's' || n FROM generate_series(1, 30) AS n")


def test_a_baseline_lets_known_keys_pass_and_no_new_one(
    tasks: None, connection: psycopg.Connection, database: str, tmp_path: Path
) -> None:
    done = _check(tmp_path, database)
    assert done.returncode == 1
    assert "public.tasks.slug" in done.stdout
    assert _check(tmp_path, database, "--write-baseline").returncode == 0
    assert "public.tasks.slug" in json.loads((tmp_path / "vaccine-baseline.json").read_text())["unguarded_keys"]
    again = _check(tmp_path, database, "--baseline", "vaccine-baseline.json")
    assert (again.returncode, again.stdout) == (0, "")
    connection.execute("CREATE TABLE posts (id int PRIMARY KEY, slug text NOT NULL)")
    new = _check(tmp_path, database, "--baseline", "vaccine-baseline.json")
    assert new.returncode == 1
    assert "public.posts.slug" in new.stdout
    assert "public.tasks.slug" not in new.stdout


def test_live_duplicates_and_invalid_indexes_fail_in_spite_of_a_baseline(
    tasks: None, connection: psycopg.Connection, database: str, tmp_path: Path
) -> None:
    _check(tmp_path, database, "--write-baseline")
    connection.execute("INSERT INTO tasks VALUES (31, 's1')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY left_over ON tasks (slug)")
    done = _check(tmp_path, database, "--baseline", "vaccine-baseline.json")
    assert done.returncode == 1
    kinds = {line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")}
    assert kinds == {"duplicates", "invalid"}
    assert "vaccine plan public.tasks.slug -o plan.json" in done.stdout


def test_vaccine_toml_accepts_until_a_day(tasks: None, database: str, tmp_path: Path) -> None:
    entry = '[[accept]]\nkey = "public.tasks.slug"\nreason = "one editor"\nuntil = {}\n'
    (tmp_path / "vaccine.toml").write_text(entry.format("2999-01-01"))
    assert _check(tmp_path, database).returncode == 0
    (tmp_path / "vaccine.toml").write_text(entry.format("2001-01-01"))
    done = _check(tmp_path, database)
    assert done.returncode == 1
    assert "public.tasks.slug was accepted until 2001-01-01 and counts again" in done.stderr
    (tmp_path / "vaccine.toml").write_text('excludes = ["public.*"]\n')
    done = _check(tmp_path, database)
    assert done.returncode == 2
    assert "excludes, which Vaccine does not know" in done.stderr


def test_a_new_racing_writer_fails(tasks: None, database: str, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    _check(tmp_path, database, "--write-baseline", "--source", "code")
    (code / "writer.py").write_text(WRITER)
    done = _check(tmp_path, database, "--baseline", "vaccine-baseline.json", "--source", "code")
    assert done.returncode == 1, done.stderr
    assert "writer.py:8" in done.stdout
    _check(tmp_path, database, "--write-baseline", "--source", "code")
    assert _check(tmp_path, database, "--baseline", "vaccine-baseline.json", "--source", "code").returncode == 0


@pytest.mark.parametrize("content", ["not json", "[]", '{"version": 2, "unguarded_keys": []}', '{"version": 1}'])
def test_a_bad_baseline_is_refused(database: str, tmp_path: Path, content: str) -> None:
    (tmp_path / "b.json").write_text(content)
    assert _check(tmp_path, database, "--baseline", "b.json").returncode == 2
    assert _check(tmp_path, database, "--baseline", "absent.json").returncode == 2
