"""The questions to the catalog, one .sql file each, and how to read them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def query(name: str) -> str:
    """The text of `name`.sql. Parameters are psycopg's (`%(name)s`), so a bare percent sign is doubled."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
