"""What a run says of disk before it writes: how much, where, and what it refuses."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import psycopg
import pytest

from tests.alembic_env import UPGRADE, make_environment, write_revision
from tests.integration.test_restore import KEY, POLICY
from vaccine.demo.server import Server
from vaccine.operations.checks.disk import Space, need, size

BOTH = UPGRADE.format(index="u").replace("**POLICY)", "**POLICY, index='u')", 1)
UNITS = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3}
ROWS = """
CREATE TABLE issues (id integer PRIMARY KEY, hash text, status text NOT NULL, last_seen_at timestamptz, note json);
INSERT INTO issues SELECT n, md5((n / 2)::text), 'open' FROM generate_series(1, 40000) AS n;
VACUUM ANALYZE issues;
"""


def told(output: str) -> tuple[int, int, int]:
    """The bytes of journal, index and WAL that a run announced."""
    found = re.search(
        r"about (\d+) (\w+) of journal and (\d+) (\w+) of index in tablespace (?:\w+), (\d+) (\w+)", output
    )
    assert found is not None, output
    numbers = found.groups()
    return tuple(int(numbers[at]) * UNITS[numbers[at + 1]] for at in (0, 2, 4))  # type: ignore[return-value]


@pytest.mark.every_version
@pytest.mark.parametrize("to", ["resolved", {"sql": "'resolved'"}], ids=["shared images", "own images"])
def test_what_is_announced_is_about_what_is_taken(
    tmp_path: Path, database: str, connection: psycopg.Connection, to: object
) -> None:
    for statement in ROWS.strip().split(";\n"):
        connection.execute(statement)
    made = make_environment(tmp_path, database)
    policy = {**POLICY, "max_rows": 20000, "assign": {"status": to}}
    write_revision(made, KEY, policy, index="u", upgrade=BOTH)
    output = made.alembic("upgrade", "head").stdout
    journal, index, wal = told(output)
    took = connection.execute(
        "SELECT pg_total_relation_size('vaccine.images_1') - pg_indexes_size('vaccine.images_1'), pg_relation_size('u')"
    ).fetchone()
    assert took is not None
    assert 0.5 < journal / took[0] < 2
    assert 0.5 < index / took[1] < 3  # planned for all live rows, of which half are resolved by then
    assert wal > index
    assert "what is free there SQL cannot tell" in output


def test_a_tablespace_of_the_role_is_named_and_refused_where_it_may_not_create(
    tmp_path: Path, server: Server, database: str, connection: psycopg.Connection
) -> None:
    connection.execute(ROWS.partition(";")[0])
    place = server.data.parent / f"space {connection.info.dbname}"
    place.mkdir()
    if server.account:
        shutil.chown(place, server.account)
    role = f"keeper_{connection.info.dbname}"
    space = f'"Sp{{ace}} %s {connection.info.dbname}"'
    connection.execute(f"CREATE TABLESPACE {space} LOCATION '{place}'")
    connection.execute(f"CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET default_tablespace = {space}")
    connection.execute(
        f"GRANT ALL ON DATABASE {connection.info.dbname} TO {role}; GRANT ALL ON SCHEMA public TO {role}"
    )
    connection.execute(f"ALTER TABLE issues OWNER TO {role}; CREATE SCHEMA vaccine AUTHORIZATION {role}")
    try:
        made = make_environment(tmp_path, database.replace("postgres@", f"{role}@"))
        # The version table is made by hand in the database's own tablespace: Alembic's CREATE TABLE is not ours to try.
        connection.execute(
            "CREATE TABLE vaccine.alembic_version (version_num varchar(32) PRIMARY KEY) TABLESPACE pg_default;"
            f"ALTER TABLE vaccine.alembic_version OWNER TO {role}"
        )
        write_revision(made, KEY, POLICY, index="u", upgrade=BOTH)
        done = made.alembic("upgrade", "head", check=False)
        assert "default_tablespace is Sp{ace} %s" in done.stdout
        assert "nothing was changed [preflight]" in done.stdout
        connection.execute(f"GRANT CREATE ON TABLESPACE {space} TO {role}")
        assert "of index in tablespace Sp{ace} %s" in made.alembic("upgrade", "head").stdout
        made.alembic("downgrade", "base")
    finally:
        connection.execute(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
        connection.execute("DROP SCHEMA vaccine CASCADE; DROP TABLE issues")
        connection.execute(f"DROP TABLESPACE {space}")


def test_a_bound_on_sorts_is_told_where_it_would_be_passed() -> None:
    wanted = need(0, 0, 1_000_000, 32, 1)
    assert "temp_file_limit = 10 MB" in wanted.line(Space("x", usable=True, temporary=10 * 1024**2, memory=1024**2))
    assert "temp_file_limit" not in wanted.line(Space("x", usable=True, temporary=None, memory=1024**2))
    assert "temp_file_limit" not in wanted.line(Space("x", usable=True, temporary=10 * 1024**2, memory=1024**3))
    assert "journal" not in wanted.line(Space("x", usable=True, temporary=None, memory=0))


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (17 * 1024, "17 kB"), (3 * 1024**3, "3 GB"), (2 * 1024**5, "2048.0 TB")]
)
def test_a_size_in_words(count: int, words: str) -> None:
    assert size(count) == words
