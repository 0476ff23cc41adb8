"""Vaccine's own environment is the one that `vaccine init` writes."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("own", "template"),
    [("alembic.ini", "alembic.ini"), ("migrations/env.py", "env.py"), ("migrations/script.py.mako", "script.py.mako")],
)
def test_is_the_same_file(own: str, template: str) -> None:
    assert (ROOT / own).read_bytes() == (ROOT / "vaccine" / "revision" / "environment" / template).read_bytes()
