"""Connections of our own: to the very server, role and search_path of Alembic's, whatever its driver and defaults."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.alembic_env import Environment, make_environment, write_revision
from tests.faults.proxy import Proxy
from tests.integration.test_restore import KEY, POLICY, ROWS, TABLE

OPEN = "SELECT count(*) FROM issues WHERE status = 'open' AND hash IS NOT NULL"
INDEX = "SELECT indisvalid AND indisready FROM pg_index WHERE indexrelid = 'u'::regclass"


def plain(root: Path, url: str, **options: str) -> Environment:
    """An environment as most projects have it, with the revision of the table of test_restore."""
    environment = make_environment(root, url, transaction_per_migration=False, **options)
    write_revision(environment, KEY, POLICY, index="u")
    return environment


def there_and_back(environment: Environment, connection: psycopg.Connection) -> None:
    before = connection.execute(ROWS).fetchall()
    environment.alembic("upgrade", "head")
    assert connection.execute(OPEN).fetchone() == (3,)
    assert connection.execute(INDEX).fetchone() == (True,)
    environment.alembic("downgrade", "base")
    assert connection.execute(ROWS).fetchall() == before


def test_a_server_that_stops_answering_is_given_up(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE)
    with Proxy(urlsplit(database).port or 0, answered=1) as proxy:
        url = database.replace(f":{urlsplit(database).port}/", f":{proxy.port}/") + "?connect_timeout=2"
        done = plain(tmp_path, url).alembic("upgrade", "head", check=False)
    message = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in message
    assert f"beside Alembic's, to 127.0.0.1:{proxy.port}; nothing more was changed" in message
    assert "timeout" in message
    assert "connect_timeout=SECONDS" in message
