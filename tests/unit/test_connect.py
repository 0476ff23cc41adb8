"""Where the database's URL comes from, and that no password is ever shown."""

from pathlib import Path

import pytest

from vaccine.connect import connect, describe, resolve_url, to_libpq
from vaccine.errors import ConnectionFailedError, UsageError


def test_the_option_wins_over_everything() -> None:
    environ = {"VACCINE_URL": "postgresql://b/x", "DATABASE_URL": "postgresql://c/x", "PGHOST": "d"}
    assert resolve_url("postgresql://a/x", environ=environ) == "postgresql://a/x"
    assert resolve_url(None, environ=environ) == "postgresql://b/x"
    del environ["VACCINE_URL"]
    assert resolve_url(None, environ=environ) == "postgresql://c/x"
    del environ["DATABASE_URL"]
    assert resolve_url(None, environ=environ) == ""


def test_an_alembic_ini_is_the_last_resort(tmp_path: Path) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_text("[alembic]\nsqlalchemy.url = postgresql+psycopg://u:p%%40w@h/d\n")
    assert resolve_url(None, ini, environ={}) == "postgresql://u:p%40w@h/d"


@pytest.mark.parametrize("text", ["driver://user:pass@localhost/dbname", ""])
def test_alembics_placeholder_names_no_database(tmp_path: Path, text: str) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_text(f"[alembic]\nsqlalchemy.url = {text}\n")
    with pytest.raises(UsageError, match="no database was named"):
        resolve_url(None, ini, environ={})


@pytest.mark.parametrize(
    ("given", "libpq"),
    [
        ("postgresql+psycopg://u@h:1/d", "postgresql://u@h:1/d"),
        ("postgresql+psycopg2://u@h/d?sslmode=require", "postgresql://u@h/d?sslmode=require"),
        ("postgres://u@h/d", "postgres://u@h/d"),
        ("host=h dbname=d", "host=h dbname=d"),
    ],
)
def test_sqlalchemy_and_libpq_forms_are_both_taken(given: str, libpq: str) -> None:
    assert to_libpq(given) == libpq


@pytest.mark.parametrize("text", ["mysql://u:geheim@h/d", "postgresql://u:geheim%zz@h/d", "geheim", "host=h geheim"])
def test_a_bad_url_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        to_libpq(text)
    assert "geheim" not in str(caught.value)
    assert caught.value.fix


def test_an_unreachable_server_is_said_without_the_password() -> None:
    with pytest.raises(ConnectionFailedError) as caught:
        connect("postgresql://me:geheim@127.0.0.1:1/d")
    assert "geheim" not in str(caught.value)
    assert "me@127.0.0.1:1/d" in str(caught.value)
    assert caught.value.exit_status == 3


def test_describe_shows_no_password() -> None:
    assert describe("postgresql://me:geheim@h:5/d") == "me@h:5/d"
