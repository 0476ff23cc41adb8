"""A role without rights gets a message, not a traceback, and changes nothing."""

from pathlib import Path

import psycopg

from tests.commands import Shell
from tests.dumps import whole_dump
from vaccine.demo.server import Server


def test_a_role_that_may_not_use_the_schema_vaccine(tmp_path: Path, server: Server, database: str) -> None:
    role = f"weak_{psycopg.conninfo.conninfo_to_dict(database)['dbname']}"
    shell = Shell(tmp_path, database)
    shell.vaccine("init")
    before = whole_dump(server, database)
    weak = server.url_of(database.rpartition("/")[2], role)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA vaccine")
        connection.execute("CREATE TABLE vaccine.alembic_version (version_num varchar(32) PRIMARY KEY)")
        connection.execute(f"CREATE ROLE {role} LOGIN")
        try:
            refused = shell.alembic("upgrade", "head", status=255, url=weak).stdout
            assert f"user {role} may not use the schema vaccine; nothing was changed [permission]" in refused
            connection.execute(f"GRANT USAGE ON SCHEMA vaccine TO {role}")
            shell.alembic("upgrade", "head", status=255, url=weak)  # the version table is still out of reach
            connection.execute(f"GRANT SELECT ON vaccine.alembic_version TO {role}")
            shell.alembic("current", url=weak)
        finally:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")
    assert whole_dump(server, database) == before
