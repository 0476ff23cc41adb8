"""A key, an index, and whether PostgreSQL lets the same key in twice: for the tests of coverage."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import errors, sql

from vaccine.audit.finding import Priority
from vaccine.audit.run import AuditSettings, audit_key

COLUMNS = (
    "id bigint generated always as identity primary key, tenant int, code text, email varchar(80), status varchar(20)"
    " default 'open', kind text not null default 'a', current boolean default true, gone_at timestamptz,"
    " amount numeric, during int4range default '[1,5)', must text not null default gen_random_uuid()::text"
)
ROW = {"tenant": 1, "code": "x", "email": "a@b.c"}


@dataclass(frozen=True)
class Case:
    """A key with the rows that count, an index, and one row that is put in twice, the second time with changes."""

    name: str
    columns: tuple[str, ...]
    index: str
    guarded: bool
    predicate: str = ""
    row: tuple[tuple[str, object], ...] = ()
    needs: int = 0  # server_version_num
    second: tuple[tuple[str, object], ...] = ()


def check(connection: psycopg.Connection, case: Case) -> None:
    """Our verdict and PostgreSQL's are what the case says; a case for a newer server passes."""
    if connection.info.server_version < case.needs:
        return
    connection.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t ({COLUMNS})")
    if case.index:
        connection.execute(case.index)
    finding = audit_key(connection, AuditSettings(), ("public", "t"), case.columns, case.predicate)
    verdict = finding.priority is Priority.GUARDED
    assert verdict == case.guarded, f"{case.name}: we say {verdict}; {finding}"
    assert _refused(connection, case) == case.guarded, f"{case.name}: PostgreSQL says otherwise"


def insert(connection: psycopg.Connection, row: dict[str, object]) -> None:
    """One row into t."""
    statement = sql.SQL("INSERT INTO t ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Literal, row.values()))
    )
    connection.execute(statement)


def _refused(connection: psycopg.Connection, case: Case) -> bool:
    row = {**ROW, **dict(case.row)}
    insert(connection, row)
    try:
        insert(connection, {**row, **dict(case.second)})
    except (errors.UniqueViolation, errors.ExclusionViolation):
        return True
    return False
