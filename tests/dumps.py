"""A database as bytes: what a round trip must give back. The schema `vaccine` is left out."""

from __future__ import annotations

import hashlib
import re

import psycopg
from psycopg import conninfo, sql

from vaccine.demo.server import Server

TABLES = """
SELECT n.nspname::text, c.relname::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname NOT IN ('vaccine', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
 ORDER BY 1, 2
"""


def schema_dump(server: Server, url: str) -> str:
    """What pg_dump says of the structure, without its random \\restrict key."""
    database = str(conninfo.conninfo_to_dict(url)["dbname"])
    arguments = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-s", "-N", "vaccine", "-d", database]
    text = server.run("pg_dump", *arguments).stdout.decode()
    return re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)


def rows_dump(url: str) -> dict[str, str]:
    """A digest of each table's rows as COPY prints them, in an order that does not hang on where they lie."""
    digests = {}
    with psycopg.connect(url, autocommit=True) as connection:
        for schema, table in connection.execute(TABLES).fetchall():
            statement = sql.SQL('COPY (SELECT t.* FROM {} AS t ORDER BY t.*::text COLLATE "C") TO STDOUT')
            digest = hashlib.sha256()
            with connection.cursor().copy(statement.format(sql.Identifier(schema, table))) as copy:
                for chunk in copy:
                    digest.update(chunk)
            digests[f"{schema}.{table}"] = digest.hexdigest()
    return digests


def whole_dump(server: Server, url: str) -> tuple[str, dict[str, str]]:
    """Schema and rows."""
    return schema_dump(server, url), rows_dump(url)
