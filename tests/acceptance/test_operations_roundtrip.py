"""Rows there and back with names and values that no one should use, and some do."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.alembic_env import make_environment, write_revision
from tests.integration.test_offline import psql, script_of
from vaccine.demo.server import Server

HOSTILE = [
    ('we"ird', "ta'ble", "co%l", "st%(x)s"),
    ("Select", "Order", "user", "From"),
    ("a\nb", "c\nd", "e\nf", "{g}"),
    ("schéma", "таблица", "ключ", "статус"),
    ("s" * 63, "t" * 63, "k" * 63, "l" * 63),
    ("$vaccine$", "vaccine_work", "vaccine_batch", "vaccine_n"),
    ("back\\slash", "w", "t", "b"),
]


@pytest.mark.every_version
def test_hostile_names_go_there_and_back(
    server: Server, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    for schema, table, column, status in HOSTILE:
        _make(connection, schema, table, column, status)
    environment = make_environment(tmp_path, database)
    for place, (schema, table, column, status) in enumerate(HOSTILE):
        quoted = sql.Identifier(status).as_string(connection)
        key = {
            "schema": schema,
            "table": table,
            "columns": [column, "second"],
            "where": f"{quoted} = 'o''pen %s {{}} \n' -- a remark",
        }
        policy = {
            "survivor": [f"{quoted} DESC", "seen DESC NULLS LAST"],
            "assign": {status: "re'solved %s {}\\"},
            "keep": [["3", "x'y"]],
            "max_rows": 2,
            "plan": f"plan{place}",
        }
        revision, down = f"{place:012x}", f"{place - 1:012x}" if place else None
        write_revision(environment, key, policy, index=_index(table), revision=revision, down=down)
    before = _rows(connection)

    out = environment.alembic("upgrade", "head").stdout
    assert out.count("resolved 2 rows of") == len(HOSTILE)
    for schema, table, _, status in HOSTILE:
        live = sql.SQL("SELECT id FROM {} WHERE {} = 're''solved %s {{}}\\' ORDER BY id").format(
            sql.Identifier(schema, table), sql.Identifier(status)
        )
        assert connection.execute(live).fetchall() == [(1,), (2,)]
    assert _valid_indexes(connection) == len(HOSTILE)
    environment.alembic("downgrade", "base")
    assert _rows(connection) == before
    assert _valid_indexes(connection) == 0

    connection.execute("DROP TABLE vaccine.alembic_version")  # a script from base makes it
    up = psql(server, database, script_of(environment, "upgrade", "base:head"), "-v", "ON_ERROR_STOP=1")
    assert up.returncode == 0, up.stderr
    assert _rows(connection) != before
    assert _valid_indexes(connection) == len(HOSTILE)
    down = psql(server, database, script_of(environment, "downgrade", "head:base"), "-v", "ON_ERROR_STOP=1")
    assert down.returncode == 0, down.stderr
    assert _rows(connection) == before
    assert _valid_indexes(connection) == 0


def _index(table: str) -> str:
    return f'u"q%s {table}'.encode()[:63].decode(errors="ignore")


def _valid_indexes(connection: psycopg.Connection) -> int:
    found = connection.execute(
        "SELECT count(*) FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid"
        " WHERE c.relname LIKE 'u\"q%' AND x.indisvalid AND x.indisunique"
    ).fetchone()
    assert found is not None
    return int(found[0])


def _make(connection: psycopg.Connection, schema: str, table: str, column: str, status: str) -> None:
    relation = sql.Identifier(schema, table)
    names = {"relation": relation, "column": sql.Identifier(column), "status": sql.Identifier(status)}
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    connection.execute(
        sql.SQL(
            "CREATE TABLE {relation} (id integer, part text, {column} text, second numeric, {status} text, seen date,"
            " PRIMARY KEY (id, part))"
        ).format(**names)
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO {relation} SELECT n, 'x''y', 'k%s', 1.0 + 0 * n, E'o''pen %s {{}} \\n', date '2026-01-01' - n"
            " FROM generate_series(1, 3) AS g (n)"
        ).format(**names)
    )
    connection.execute(sql.SQL("INSERT INTO {relation} VALUES (4, '', 'k%s', 1.0, 'done', NULL)").format(**names))


def _rows(connection: psycopg.Connection) -> list[list[tuple[object, ...]]]:
    return [
        connection.execute(
            sql.SQL("SELECT t.*::text FROM {} AS t ORDER BY id").format(sql.Identifier(schema, table))
        ).fetchall()
        for schema, table, _, _ in HOSTILE
    ]
