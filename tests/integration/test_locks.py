"""The table of lock modes, asked of PostgreSQL itself."""

from __future__ import annotations

import itertools

import psycopg

from vaccine.plan.locks import LockMode


def test_every_pair_conflicts_as_postgresql_does(database: str) -> None:
    with psycopg.connect(database) as one, psycopg.connect(database) as other:
        one.execute("CREATE TABLE t ()")
        one.commit()
        for held, wanted in itertools.product(LockMode, LockMode):
            one.execute(f"LOCK TABLE t IN {held} MODE")
            try:
                other.execute(f"LOCK TABLE t IN {wanted} MODE NOWAIT")
                blocked = False
            except psycopg.errors.LockNotAvailable:
                blocked = True
            other.rollback()
            one.rollback()
            assert held.conflicts(wanted) is blocked, (held, wanted)
