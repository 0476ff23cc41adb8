"""Autogenerate of an application's own environment, include_schemas on, keeps its hands off the journal."""

from __future__ import annotations

import tomllib
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import Environment, make_environment, write_revision
from tests.integration.test_restore import KEY, POLICY, TABLE

ROOT = Path(__file__).parents[2]
MODEL = """
from sqlalchemy import Column, DateTime, Index, Integer, JSON, MetaData, Table, Text, text

metadata = MetaData()
issues = Table(
    "issues", metadata, Column("id", Integer, primary_key=True), Column("hash", Text),
    Column("status", Text, nullable=False), Column("last_seen_at", DateTime(timezone=True)), Column("note", JSON),
    Index("u", "hash", unique=True, postgresql_where=text("status = 'open' AND hash IS NOT NULL")),
)
"""
# As `alembic init` writes it, with include_schemas on.
THEIRS = """
from alembic import context
from sqlalchemy import create_engine, pool

from model import metadata

{names}
engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, include_schemas=True{options})
    with context.begin_transaction():
        context.run_migrations()
"""
DOCUMENTED = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Vaccine installed as pyproject.toml says now, whatever the metadata of this checkout says; and the model."""
    site = tmp_path / "site"
    info = site / "vaccine-0.1.0.dist-info"
    info.mkdir(parents=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: vaccine\nVersion: 0.1.0\n")
    lines = [f"{name} = {where}" for name, where in project["entry-points"]["alembic.plugins"].items()]
    info.joinpath("entry_points.txt").write_text("\n".join(["[alembic.plugins]", *lines, ""]))
    site.joinpath("model.py").write_text(MODEL)
    monkeypatch.setenv("PYTHONPATH", str(site))
    return info


def theirs(root: Path, url: str, names: str = "", options: str = "") -> Environment:
    environment = make_environment(root, url, transaction_per_migration=True)
    (root / "migrations/env.py").write_text(THEIRS.format(names=names, options=options))
    return environment


def test_the_journal_is_no_difference(
    database: str, connection: psycopg.Connection, tmp_path: Path, installed: Path
) -> None:
    connection.execute(TABLE)
    ours = make_environment(tmp_path / "ours", database)
    write_revision(ours, KEY, POLICY, index="u")
    ours.alembic("upgrade", "head")
    application = theirs(tmp_path / "app", database)
    assert "No new upgrade operations detected" in application.alembic("check").stdout
    application.alembic("revision", "--autogenerate", "-m", "nothing")
    [written] = application.versions.glob("*_nothing.py")
    assert "drop_table" not in written.read_text()
    connection.execute("DROP TABLE alembic_version")  # the application's
    (ours.root / "migrations/env.py").write_text(
        "from model import metadata\nfrom vaccine.revision.environment import run_migrations\n\n"
        "run_migrations(target_metadata=metadata, include_schemas=True)\n"
    )
    assert "No new upgrade operations detected" in ours.alembic("check").stdout
    installed.joinpath("entry_points.txt").write_text("")  # an Alembic without plugins
    assert "No new upgrade operations detected" in ours.alembic("check").stdout
    written.unlink()
    assert application.alembic("check", check=False).returncode != 0  # it looks into the journal
    names = DOCUMENTED.partition("def include_name")[2].partition("```")[0]
    documented = theirs(tmp_path / "documented", database, f"def include_name{names}", ", include_name=include_name")
    assert "No new upgrade operations detected" in documented.alembic("check").stdout
    ours.alembic("downgrade", "base")


def test_a_schema_vaccine_of_the_application_is_compared(
    database: str, connection: psycopg.Connection, tmp_path: Path, installed: Path
) -> None:
    """A clinic may well call its schema so."""
    connection.execute("CREATE SCHEMA vaccine CREATE TABLE doses (id integer PRIMARY KEY)")
    model = installed.parent / "model.py"
    model.write_text(
        "from sqlalchemy import Column, Integer, MetaData, Table\n\nmetadata = MetaData()\n"
        'Table("doses", metadata, Column("id", Integer, primary_key=True), schema="vaccine")\n'
    )
    application = theirs(tmp_path / "app", database)
    assert "No new upgrade operations detected" in application.alembic("check").stdout
    model.write_text(model.read_text() + 'Table("visits", metadata, Column("id", Integer), schema="vaccine")\n')
    assert "add_table" in application.alembic("check", check=False).stdout
