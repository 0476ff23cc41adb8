"""Nothing has the table's name, or what has it is no table."""

from __future__ import annotations

from .model import Check, Stage, of_server

CHECK = Check(
    "no-table",
    "there is no table {schema}.{table}",
    "names are compared exactly, upper and lower case too; it was renamed or dropped, or this is another database",
    of_server(
        """SELECT {schema}::text AS schema, {table}::text AS table
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE n.nspname = {schema} AND c.relname = {table})"""
    ),
    Stage.SERVER,
    halts=True,
)
