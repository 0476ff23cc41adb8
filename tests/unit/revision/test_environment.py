"""Vaccine's own environment is the one that `vaccine init` writes, and its env.py is one call."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("own", "template"),
    [("alembic.ini", "alembic.ini"), ("migrations/env.py", "env.py"), ("migrations/script.py.mako", "script.py.mako")],
)
def test_is_the_same_file(own: str, template: str) -> None:
    assert (ROOT / own).read_bytes() == (ROOT / "vaccine" / "revision" / "environment" / template).read_bytes()


def test_env_py_is_one_call() -> None:
    """It is copied into users' repositories: what it imports never moves, and nothing in it needs a mend."""
    text = (ROOT / "migrations/env.py").read_text(encoding="utf-8")
    docstring, imported, called = ast.parse(text).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(imported, ast.ImportFrom)
    assert (imported.module, imported.names[0].name) == ("vaccine.revision.environment", "run_migrations")
    assert isinstance(called, ast.Expr)
    assert len(text.splitlines()) <= 10
