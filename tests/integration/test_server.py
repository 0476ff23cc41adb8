"""The servers under the tests themselves."""

import psycopg
import pytest

from vaccine.demo.server import Server


@pytest.mark.every_version
def test_answers_with_its_version(
    server: Server, connection: psycopg.Connection, request: pytest.FixtureRequest
) -> None:
    version = request.node.callspec.params["server"]
    assert connection.info.server_version // 10000 == int(version)


def test_a_crash_and_a_start_keep_what_was_committed(server: Server) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS survives")
        connection.execute("CREATE TABLE survives AS SELECT 1 AS one")
        connection.execute("CHECKPOINT")
    server.stop("immediate")
    server.start()
    with psycopg.connect(server.url, autocommit=True) as connection:
        assert connection.execute("SELECT one FROM survives").fetchall() == [(1,)]
        connection.execute("DROP TABLE survives")
