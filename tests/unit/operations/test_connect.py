"""Bounds for a server that does not answer: put where the DBA has put none."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from vaccine.operations.session.connect import PATIENCE, with_patience


def test_every_bound_is_put_where_there_is_none() -> None:
    assert (
        conninfo_to_dict(with_patience("host=h password=it\\'s", {})).items()
        >= {
            **PATIENCE,
            "host": "h",
            "password": "it's",
        }.items()
    )


@pytest.mark.parametrize("name", list(PATIENCE))
def test_a_bound_of_the_url_is_respected(name: str) -> None:
    found = conninfo_to_dict(with_patience(f"postgresql://h/x?{name}=7", {}))
    assert found[name] == "7"
    assert set(found) >= set(PATIENCE)


def test_libpqs_variable_is_respected() -> None:
    assert "connect_timeout" not in conninfo_to_dict(with_patience("host=h", {"PGCONNECT_TIMEOUT": "3"}))
    assert conninfo_to_dict(with_patience("host=h", {"PGCONNECT_TIMEOUT": ""}))["connect_timeout"] == "10"
