"""The audit's speed beside what a person would run: catalog of 10,000 tables, keys of 5 million rows, memory, --help.

    python -m tests.benchmarks.bench_audit [--tables 10000] [--rows 5000000] [--runs 5] [--pg 18]

Both sides run in one process after another, alternating, on the same database; the figures are medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import Engine, create_engine, inspect

from tests.conftest import known_servers
from vaccine.audit import AuditSettings, run_audit
from vaccine.demo.server import FAST, serve
from vaccine.evidence import KeyQuery, count_keys
from vaccine.reader import Reader
from vaccine.reflect import reflect

COLUMNS = """
SELECT a.attrelid, a.attname, a.attnum, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid)
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname = 'public'
"""
INDEXES = """
SELECT i.indrelid, i.indexrelid::regclass::text, i.indkey::text, i.indisunique, i.indisprimary, i.indisvalid,
       pg_catalog.pg_get_indexdef(i.indexrelid), pg_catalog.pg_get_expr(i.indpred, i.indrelid)
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'
"""
MEMORY = """
import resource, psycopg, sys
from vaccine.audit import AuditSettings, run_audit
with psycopg.connect(sys.argv[1]) as connection:
    run_audit(connection, AuditSettings(data=False))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def side_by_side(runs: int, ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of both sides, run in turn after one warm-up each."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 1):
        for kept, side in zip(times, (ours, theirs), strict=True):
            start = time.perf_counter()
            side()
            if number:
                kept.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def row(name: str, ours: float, theirs: float, most: float, unit: str = "s") -> None:
    print(f"| {name} | {ours:.3f} {unit} | {theirs:.3f} {unit} | {ours / theirs:.2f} | {most} |", flush=True)


def make_tables(url: str, tables: int) -> None:
    body = (
        "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id bigint NOT NULL, code varchar(40) NOT NULL,"
        " slug text, name text NOT NULL DEFAULT '', status varchar(20) DEFAULT 'open', source_id text,"
        " amount numeric(12,2),"
        " created_at timestamptz DEFAULT now(), updated_at timestamptz, deleted_at timestamptz, note text"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE tenants (id bigint PRIMARY KEY)")
        for first in range(0, tables, 200):
            with connection.transaction():
                for number in range(first, min(first + 200, tables)):
                    name = f"table_{number:05d}"
                    connection.execute(
                        f"CREATE TABLE {name} ({body}, FOREIGN KEY (tenant_id) REFERENCES tenants (id));"
                        f" CREATE INDEX ON {name} (tenant_id);"
                        f" CREATE UNIQUE INDEX ON {name} (code) WHERE deleted_at IS NULL"
                    )
        connection.execute("VACUUM ANALYZE pg_catalog.pg_class, pg_catalog.pg_attribute, pg_catalog.pg_index")


def inspector(engine: Engine) -> None:
    """The same facts by SQLAlchemy's bulk reflection."""
    found = inspect(engine)
    for facts in ("columns", "pk_constraint", "indexes", "foreign_keys", "unique_constraints", "check_constraints"):
        getattr(found, f"get_multi_{facts}")()
    engine.dispose()


def catalog(url: str, runs: int) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with psycopg.connect(url, autocommit=True) as connection:

        def bare() -> None:
            connection.execute(COLUMNS).fetchall()
            connection.execute(INDEXES).fetchall()

        ours, theirs = side_by_side(runs, lambda: reflect(Reader(connection)), lambda: inspector(engine))
        row("catalog part ÷ Inspector.get_multi_*", ours, theirs, 0.4)
        ours, theirs = side_by_side(runs, lambda: run_audit(connection, AuditSettings(data=False)), bare)
        row("whole audit without data ÷ two bare catalog queries", ours, theirs, 3)
    done = subprocess.run([sys.executable, "-c", MEMORY, url], capture_output=True, text=True, check=True)
    print(f"| client memory, MB | {int(done.stdout) / 1024:.0f} | | | 250 |", flush=True)


def make_rows(url: str, rows: int) -> None:
    """A tenth is live; of 5M rows, 100k live groups and 150k rows too many in k1; the other keys do not repeat."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE big (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, k1 text, k2 text, k3 bigint,"
            " k4 text, status text NOT NULL, note text, created_at timestamptz DEFAULT now())"
        )
        connection.execute(
            "INSERT INTO big (k1, k2, k3, k4, status, note)"
            " SELECT md5((CASE WHEN i %% 10 = 0 AND i <= %(rows)s / 2 THEN i / 25 ELSE i END)::text),"
            " 'ABC-' || i, i, md5('x' || i), CASE WHEN i %% 10 = 0 THEN 'open' ELSE 'resolved' END, repeat('n', 40)"
            " FROM generate_series(1, %(rows)s) AS i",
            {"rows": rows},
        )
        connection.execute("VACUUM ANALYZE big")


def evidence(url: str, runs: int) -> None:
    live = "status = 'open'"
    with psycopg.connect(url, autocommit=True) as connection:
        reader = Reader(connection)
        table = reflect(reader).by_name["public", "big"]
        hand = (
            "SELECT {key}, count(*) FROM big WHERE status = 'open' AND {key} IS NOT NULL"
            " GROUP BY {key} HAVING count(*) > 1"
        )

        def ours(*keys: str) -> None:
            with reader.block():
                count_keys(reader, table, [KeyQuery((key,), live) for key in keys])

        def by_hand(*keys: str) -> None:
            connection.execute("SET jit = off")
            for key in keys:
                connection.execute(hand.format(key=key)).fetchall()

        one, other = side_by_side(runs, lambda: ours("k1"), lambda: by_hand("k1"))
        row("evidence for one key ÷ GROUP BY … HAVING", one, other, 1.15)
        four = ("k1", "k2", "k3", "k4")
        one, other = side_by_side(runs, lambda: ours(*four), lambda: by_hand(*four))
        row("four keys of one table ÷ four such queries", one, other, 0.7)


def help_text(runs: int) -> None:
    bin_dir = Path(sys.executable).parent
    commands = [[str(bin_dir / name), "--help"] for name in ("vaccine", "alembic")]
    sides = [lambda command=command: subprocess.run(command, capture_output=True, check=True) for command in commands]
    row("vaccine --help ÷ alembic --help", *side_by_side(runs, *sides), 1.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pg", default="18")
    parser.add_argument("--only", choices=("catalog", "evidence", "help"))
    given = parser.parse_args()
    parts: dict[str, tuple[Callable[[str], None], Callable[[str], None]]] = {
        "catalog": (lambda url: make_tables(url, given.tables), lambda url: catalog(url, given.runs)),
        "evidence": (lambda url: make_rows(url, given.rows), lambda url: evidence(url, given.runs)),
    }
    print(f"PostgreSQL {given.pg}, {given.tables:,} tables, {given.rows:,} rows, medians of {given.runs}\n")
    print("| figure | Vaccine | other | ratio | at most |\n|---|--:|--:|--:|--:|", flush=True)
    settings = {**FAST, "shared_buffers": "1GB", "max_wal_size": "8GB", "max_locks_per_transaction": "1000"}
    with serve(known_servers()[given.pg], settings) as server, psycopg.connect(server.url, autocommit=True) as admin:
        for name, (make, run) in parts.items():
            if given.only in {None, name}:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                make(server.url_of(name))
                run(server.url_of(name))
    if given.only in {None, "help"}:
        help_text(max(given.runs, 10))


if __name__ == "__main__":
    main()
