"""Names that nobody should have: a script and a run end in the same bytes, and each undoes what the other did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.alembic_env import UPGRADE, make_environment, write_revision
from tests.integration.test_offline import JOURNAL, psql, script_of
from tests.runs import INDEX, KEY, indexes, make_table
from vaccine.demo.server import Server

WORDS: dict[str, Any] = {"schema": KEY.schema, "table": KEY.table, "columns": list(KEY.columns), "where": KEY.where}
POLICY = {
    "survivor": ["id DESC -- {look} %s $vaccine$"],
    "assign": {"stat'us": "re{state}sol\\ved %s", "Mixed Case": {"sql": '"Mixed Case" + 1 -- $vaccine$'}},
    "keep": [["1"]],
    "max_rows": 3,
    "plan": "pl'an %s {rows}",
    "rows": [[["1"], ["2"], ["3"]], [["5"], ["4"]]],
}


@pytest.mark.every_version
def test_hostile_names_there_and_back_and_there(
    server: Server, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    make_table(connection, ["a", "a", "a", "b", "b", None, None])
    connection.execute(sql.SQL('ALTER TABLE {} ALTER "stat\'us" TYPE varchar(30)').format(KEY.relation))
    rows = sql.SQL("SELECT t.*::text FROM {} AS t ORDER BY id").format(KEY.relation)
    first = connection.execute(rows).fetchall()
    environment = make_environment(tmp_path, database)
    upgrade = UPGRADE.format(index=INDEX).replace("**POLICY)", f"**POLICY, index={INDEX!r})", 1)
    write_revision(environment, WORDS, POLICY, index=INDEX, upgrade=upgrade)
    up, down = script_of(environment, "upgrade", "base:head"), script_of(environment, "downgrade", "head:base")

    environment.alembic("upgrade", "head")
    online = connection.execute(rows).fetchall(), connection.execute(JOURNAL).fetchall(), indexes(connection)
    done = psql(server, database, down, "-v", "ON_ERROR_STOP=1")
    assert done.returncode == 0, done.stderr
    assert "restored 3, kept 0" in done.stderr
    assert connection.execute(rows).fetchall() == first
    connection.execute("DROP SCHEMA vaccine CASCADE")

    done = psql(server, database, up, "-v", "ON_ERROR_STOP=1")
    assert done.returncode == 0, done.stderr
    assert (connection.execute(rows).fetchall(), connection.execute(JOURNAL).fetchall(), indexes(connection)) == online
    environment.alembic("downgrade", "base")
    assert connection.execute(rows).fetchall() == first
    assert psql(server, database, up, "-v", "ON_ERROR_STOP=1").returncode == 0
    assert connection.execute(rows).fetchall() == online[0]
