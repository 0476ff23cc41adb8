"""A database full of traps, and the ways into it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.commands import Shell
from vaccine.demo.server import Server

TRAPS = Path(__file__).with_name("traps.sql")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Trapped:
    """The database: shells by role, and an administrator who looks from outside."""

    shells: dict[str, Shell]
    admin: psycopg.Connection

    def sprung(self) -> dict[str, int]:
        """How often each function of the traps was called since it was last asked (track_functions, manual 20.9)."""
        question = (
            "SELECT pg_catalog.format('%I.%I', schemaname, funcname), calls FROM pg_catalog.pg_stat_user_functions"
            " WHERE schemaname = 'evil' AND funcname <> 'folded' OR funcname IN ('vc_eq', 'vc_ne')"
        )
        found = {name: calls for name, calls in self.admin.execute(question) if calls}
        self.admin.execute("SELECT pg_catalog.pg_stat_reset()")
        return found


@pytest.fixture
def trapped(server: Server, tmp_path: Path) -> Iterator[Trapped]:
    """Shells as superuser, as the owner of the tables, and as a role that may only SELECT; mallory owns the traps."""
    suffix = f"{os.getpid()}_{next(_numbers)}"
    name = f"traps_{suffix}"
    roles = {role: f"{role}_{suffix}" for role in ("mallory", "owner", "auditor")}
    with psycopg.connect(server.url, autocommit=True) as making:
        making.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        for role in roles.values():
            making.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    url = server.url_of(name)
    try:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(TRAPS.read_text().encode())
            _hand_over(admin, name, roles)
        shells = {}
        for role, user in {"superuser": "postgres", **roles}.items():
            folder = tmp_path / role
            folder.mkdir()
            shells[role] = Shell(folder, url.replace("postgres@", f"{user}@"))
        with psycopg.connect(url, autocommit=True, options="-c search_path=pg_catalog") as admin:
            admin.execute("SELECT pg_catalog.pg_stat_reset()")
            yield Trapped(shells, admin)
    finally:
        with psycopg.connect(server.url, autocommit=True) as making:
            making.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            for role in roles.values():
                making.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _hand_over(admin: psycopg.Connection, database: str, roles: dict[str, str]) -> None:
    """Code and types become mallory's, tables the owner's; the path of the whole database leads into the traps."""
    names = {role: sql.Identifier(user) for role, user in roles.items()}
    admin.execute(
        sql.SQL("ALTER DATABASE {} SET search_path = evil, pg_catalog, public").format(sql.Identifier(database))
    )
    admin.execute(sql.SQL("ALTER DATABASE {} SET track_functions = 'all'").format(sql.Identifier(database)))
    admin.execute(
        sql.SQL("GRANT USAGE ON SCHEMA evil, vaccine TO PUBLIC; ALTER SCHEMA evil OWNER TO {}").format(names["mallory"])
    )
    admin.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public, vaccine TO {}").format(names["auditor"]))
    admin.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA vaccine TO {}").format(names["owner"]))
    owned = admin.execute(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'v')"
        " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
    ).fetchall()
    for (each,) in owned:
        admin.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.SQL(each), names["owner"]))
    code = admin.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE (p.prosrc LIKE '%evil.sprung%' OR p.proname = 'sprung')"
    ).fetchall()
    for (each,) in code:
        admin.execute(sql.SQL("ALTER FUNCTION {} OWNER TO {}").format(sql.SQL(each), names["mallory"]))
    for kind, each in (("TYPE", "mood"), ("TYPE", "options"), ("DOMAIN", "state")):
        admin.execute(sql.SQL("ALTER {} evil.{} OWNER TO {}").format(sql.SQL(kind), sql.SQL(each), names["mallory"]))
    for each in (
        "evil.> (bigint, integer)",
        "evil.= (name, text)",
        "evil.= (text, text)",
        "public.= (varchar, varchar)",
        "public.<> (varchar, varchar)",
    ):
        admin.execute(sql.SQL("ALTER OPERATOR {} OWNER TO {}").format(sql.SQL(each), names["mallory"]))
