"""The forms of the report, by the command line: widths, acceptances, unknowns, what was left out, escaped text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

FORMS = ("table", "json", "markdown", "html", "sarif")
ACCEPT = """
[[{0}accept]]
key = "public.posts.slug"
reason = "one editor"
until = 2999-01-01
[[{0}accept]]
key = "public.pages.slug"
reason = "soon gone"
until = 2001-02-03
[[{0}accept]]
key = "public.posts.slugg"
reason = "misspelt"
"""


def _audit(url: str, folder: Path, *arguments: str, columns: int = 160) -> str:
    environment = {**os.environ, "COLUMNS": str(columns)}
    command = [sys.executable, "-m", "vaccine", "audit", "--url", url, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def site(connection: psycopg.Connection) -> None:
    connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY, slug text, body text, status text, created_at timestamptz);"
        "CREATE TABLE pages (id int PRIMARY KEY, slug text NOT NULL);"
        "CREATE TABLE a_rather_long_table_name_of_somebody (id int PRIMARY KEY, external_reference_code text NOT NULL);"
        "CREATE TABLE schema_migrations (version text)"
    )
    connection.execute(
        "INSERT INTO posts SELECT n, CASE WHEN n % 10 = 0 THEN NULL WHEN n % 25 = 1 THEN '' ELSE 's' || n END, 'b',"
        " CASE WHEN n % 3 = 0 THEN 'archived' ELSE 'live' END, now() - n * interval '1 hour'"
        " FROM generate_series(1, 99) n"
    )
    connection.execute("INSERT INTO posts VALUES (101, 's2', 'c', 'live', now()), (102, 'S4 ', 'd', 'live', now())")
    connection.execute("INSERT INTO pages SELECT n, 'p' || n FROM generate_series(1, 9) n; ANALYZE")


@pytest.mark.parametrize("columns", [60, 80, 119, 120, 200])
def test_the_table_keeps_to_the_width_and_loses_nothing(
    site: None, database: str, tmp_path: Path, columns: int
) -> None:
    lines = _audit(database, tmp_path, "--min-score", "0", columns=columns).splitlines()
    assert max(len(line) for line in lines if not line.startswith("Next:")) <= columns
    assert lines[0].startswith("PRIORITY")
    assert lines[1].startswith("HIGH")
    if columns >= 80:
        assert any("a_rather_long_table_name_of_somebody" in line for line in lines)
        assert any("posts.slug" in line and "2 / 3" in line for line in lines)


def test_the_damaged_key_is_told_with_its_values(site: None, database: str, tmp_path: Path) -> None:
    text = _audit(database, tmp_path, columns=300)
    for line in (
        "1 live duplicate group, 1 row too many; no unique index; 3 rows have slug = '', which stands for no value",
        "9 of 101 rows (9%) have NULL in slug",
        "4 rows with an empty string in slug: to a unique index that is a value",
        "2 keys equal another one but for case or blanks: a unique index lets those pass",
        "still being duplicated; newest duplicate: less than a minute ago",
        "s2: 2 rows, ids 101 2 (the first would stay)",
        "    101  ",
        "'': 3 rows",
        "Left out: 1 of Rails",
        "what applications run: pg_stat_statements is not installed",
    ):
        assert line in text, f"{line!r} is not in\n{text}"


@pytest.mark.parametrize("file", ["vaccine.toml", "pyproject.toml"])
def test_acceptances_count_until_their_day_and_that_is_said(
    site: None, database: str, tmp_path: Path, file: str
) -> None:
    (tmp_path / file).write_text(ACCEPT.format("tool.vaccine." if file == "pyproject.toml" else ""))
    expired = "public.pages.slug was accepted until 2001-02-03 and counts again"
    needless = "public.posts.slugg is accepted, but no such key was found"
    for form in ("table", "markdown", "html"):
        text = _audit(database, tmp_path, "--format", form).replace("\\", "")
        assert "accepted: one editor (until 2999-01-01)" in text, form
        assert expired in text, form
        assert needless in text, form
    report = json.loads(_audit(database, tmp_path, "--format", "json"))
    by_table = {finding["table"]: finding["accepted"] for finding in report["findings"]}
    assert by_table["posts"] == "one editor (until 2999-01-01)"
    assert by_table["pages"] is None
    key = {"schema": "public", "table": "pages", "columns": ["slug"], "until": "2001-02-03"}
    assert report["acceptances_expired"] == [key]
    assert [one["columns"] for one in report["acceptances_unused"]] == [["slugg"]]
    [result] = [
        one
        for one in json.loads(_audit(database, tmp_path, "--format", "sarif"))["runs"][0]["results"]
        if one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "public.posts.slug"
    ]
    assert result["suppressions"][0]["justification"] == "one editor (until 2999-01-01)"


def test_every_form_says_what_was_left_out_and_what_is_unknown(site: None, database: str, tmp_path: Path) -> None:
    for form in ("table", "markdown", "html"):
        text = _audit(database, tmp_path, "--format", form).replace("\\", "")
        assert "1 of Rails" in text, form
        assert "how to retire a row" in text or "writers: none seen" in text, form
        assert "what applications run" in text, form


def test_an_index_of_a_partitioned_table_that_is_not_whole(
    connection: psycopg.Connection, database: str, tmp_path: Path
) -> None:
    connection.execute(
        "CREATE TABLE events (code text NOT NULL, day date NOT NULL) PARTITION BY RANGE (day);"
        "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');"
        "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');"
        "CREATE UNIQUE INDEX events_key ON ONLY events (code, day);"
        "CREATE UNIQUE INDEX events_1_key ON events_1 (code, day);"
        "ALTER INDEX events_key ATTACH PARTITION events_1_key;"
        "INSERT INTO events SELECT 'c' || n, '2026-01-05' FROM generate_series(1, 30) n"
    )
    text = _audit(database, tmp_path, columns=300)
    assert "index events_key is INVALID: not every partition has its part of it" in text
    assert "ALTER INDEX … ATTACH PARTITION the rest" in text
    connection.execute("CREATE UNIQUE INDEX events_2_key ON events_2 (code, day)")
    connection.execute("ALTER INDEX events_key ATTACH PARTITION events_2_key")
    assert "INVALID" not in _audit(database, tmp_path)


def test_hostile_text_is_escaped_in_every_form(connection: psycopg.Connection, database: str, tmp_path: Path) -> None:
    connection.execute('CREATE TABLE "<b>|[red]x\n" (id int PRIMARY KEY, code text NOT NULL)')
    connection.execute("""INSERT INTO "<b>|[red]x\n" SELECT n, '<script>|[bold]' FROM generate_series(1, 2) n""")
    for form in FORMS:
        text = _audit(database, tmp_path, "--format", form, "--min-score", "0")
        if form == "html":
            assert "<script>" not in text
            assert "<b>|" not in text
        if form == "table":
            assert "[red]x\\n" in text
            assert "<script>|[bold]" in text
