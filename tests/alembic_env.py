"""An Alembic environment in a folder of the test, and the real `alembic` command run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vaccine

TEMPLATES = Path(vaccine.__file__).parent / "revision" / "environment"

# What most projects have: alembic's own generic template, in short.
PLAIN_ENV = """
from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.get_main_option("sqlalchemy.url")
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True, transaction_per_migration={per_migration})
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.{connect}() as connection:
        {before}
        context.configure(connection=connection, transaction_per_migration={per_migration})
        with context.begin_transaction():
            context.run_migrations()
"""

REVISION = '''"""{message}"""

from alembic import op

import vaccine.operations  # noqa: F401  registers the operations below

revision = {revision!r}
down_revision = {down!r}
KEY = {key!r}
POLICY = {policy!r}


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''

UPGRADE = """    op.resolve_duplicates(**KEY, **POLICY)
    op.create_unique_index_concurrently({index!r}, **KEY, **POLICY)"""
DOWNGRADE = """    op.drop_unique_index_concurrently({index!r}, **KEY)
    op.restore_duplicates(**KEY, plan=POLICY["plan"])"""
ROWS_UPGRADE = "    op.resolve_duplicates(**KEY, **POLICY)"
ROWS_DOWNGRADE = '    op.restore_duplicates(**KEY, plan=POLICY["plan"])'


@dataclass(frozen=True)
class Environment:
    """A folder with alembic.ini, and the database that it works on."""

    root: Path
    url: str

    @property
    def versions(self) -> Path:
        return self.root / "migrations" / "versions"

    def alembic(self, *arguments: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the real command; with `check`, its failure fails the test with what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=self.root, env=self.environ(), capture_output=True, text=True, check=False, timeout=300, **options,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"alembic {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the real command and leave it running; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=self.root, env=self.environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def environ(self) -> Mapping[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("PG") and name != "DATABASE_URL"}
        return {**kept, "VACCINE_URL": self.url, "PYTHONWARNINGS": "error"}


def make_environment(
    root: Path,
    url: str,
    *,
    transaction_per_migration: bool | None = None,
    connect: str = "connect",
    before: str = "pass",
) -> Environment:
    """Vaccine's own environment; or, with `transaction_per_migration` given, one as most projects have.

    `connect` may be `begin`, the env.py that opens a transaction; `before` is a statement before configure().
    """
    migrations = root / "migrations"
    (migrations / "versions").mkdir(parents=True)
    shutil.copy(TEMPLATES / "script.py.mako", migrations)
    ini = (TEMPLATES / "alembic.ini").read_text()
    if transaction_per_migration is None:
        shutil.copy(TEMPLATES / "env.py", migrations)
    else:
        plain = PLAIN_ENV.format(per_migration=transaction_per_migration, connect=connect, before=before)
        (migrations / "env.py").write_text(plain)
        driver = url.replace("postgresql://", "postgresql+psycopg://", 1).replace("%", "%%")
        ini = ini.replace("[loggers]", f"sqlalchemy.url = {driver}\n\n[loggers]", 1)
    (root / "alembic.ini").write_text(ini)
    return Environment(root, url)


def write_revision(
    environment: Environment,
    key: Mapping[str, Any],
    policy: Mapping[str, Any],
    *,
    index: str | None = None,
    revision: str = "aaaa11112222",
    down: str | None = None,
    message: str = "One open row per key",
    upgrade: str | None = None,
    downgrade: str | None = None,
) -> Path:
    """A revision as `vaccine revision` writes it; without `index`, one that only resolves and restores."""
    if index is None:
        bodies = upgrade or ROWS_UPGRADE, downgrade or ROWS_DOWNGRADE
    else:
        bodies = upgrade or UPGRADE.format(index=index), downgrade or DOWNGRADE.format(index=index)
    path = environment.versions / f"{revision}.py"
    words = {"message": message, "revision": revision, "down": down, "key": dict(key), "policy": dict(policy)}
    path.write_text(REVISION.format(**words, upgrade=bodies[0], downgrade=bodies[1]))
    return path
