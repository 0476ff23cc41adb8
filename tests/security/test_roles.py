"""The roles of `vaccine init --role-sql`: one reads, the other vaccinates, neither is a superuser."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg

from tests.commands import Shell
from vaccine.demo.server import Server

TABLE = """
CREATE TABLE issues (id int PRIMARY KEY, hash text NOT NULL, status text NOT NULL);
INSERT INTO issues SELECT n, n % 3, 'open' FROM generate_series(1, 9) AS n;
INSERT INTO issues SELECT n, n % 3, 'closed' FROM generate_series(10, 19) AS n;
CREATE TABLE owned_by AS SELECT current_user::text AS who, 1 AS n WHERE false;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO owned_by VALUES (current_user, 1); RETURN new; END$$;
CREATE TRIGGER noted BEFORE UPDATE ON issues FOR EACH ROW EXECUTE FUNCTION note();
"""


def test_the_roles_do_the_whole_trip(server: Server, database: str, tmp_path: Path) -> None:
    name = database.rpartition("/")[2]
    shell = Shell(tmp_path, database)
    script = tmp_path / "roles.sql"
    script.write_text(shell.vaccine("init", "--role-sql").stdout)
    assert not (tmp_path / "alembic.ini").exists()
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("CREATE ROLE roles_owner")
        try:
            admin.execute("GRANT CREATE ON SCHEMA public TO roles_owner")
            admin.execute("SET ROLE roles_owner")
            admin.execute(TABLE.encode())
            admin.execute("RESET ROLE")
            psql = [server.bindir / "psql", "-X", "-v", "ON_ERROR_STOP=1", "-v", f"database={name}"]
            subprocess.run([*psql, "-v", "owner=roles_owner", "-f", script, database], check=True, capture_output=True)
            audit, run = (server.url_of(name, role) for role in ("vaccine_audit", "vaccine_run"))
            audited = shell.vaccine("audit", "--all", url=audit)
            assert "superuser" not in audited.stderr
            assert "tables audited" in audited.stdout
            wanted = ("issues.hash", "--where", "status = 'open'", "--assign", "status=closed", "--max-rows", "6")
            shell.vaccine("plan", *wanted, "-o", "plan.json", url=run)
            shell.vaccine("init")
            shell.vaccine("revision", "plan.json", url=audit)
            shell.alembic("upgrade", "head", url=run)
            assert "issues" in shell.vaccine("journal", url=audit).stdout
            assert admin.execute("SELECT DISTINCT who FROM owned_by").fetchall() == [("roles_owner",)]
            owners = (
                "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'vaccine'::regnamespace"
            )
            assert admin.execute(owners).fetchall() == [("roles_owner",)]
            shell.alembic("downgrade", "base", url=run)
            rows = admin.execute("SELECT count(*) FROM issues WHERE status = 'open'").fetchone()
            assert rows == (9,)
        finally:
            for role in ("vaccine_run", "vaccine_audit", "roles_owner"):
                if admin.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
                    admin.execute(f"DROP OWNED BY {role} CASCADE")
                    admin.execute(f"DROP ROLE {role}")
