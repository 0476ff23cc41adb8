"""The audit's speed beside what a person would run: a catalog of 10,000 tables, keys of 5 million rows, memory, --help.

    python -m tests.benchmarks audit

VACCINE_BENCH_TABLES (10000), VACCINE_BENCH_ROWS (5000000), VACCINE_BENCH_RUNS (5), VACCINE_BENCH_PG (18) and
VACCINE_BENCH_PARTS (catalog,evidence,help) scale it or choose a part.

Both sides run in turn on the same database; a first run of each warms the caches and does not count. The tables are
alike: 12 columns, a reference, a plain and a partial unique index. One row in ten of the 5 million is live; of the live
rows of the first key every fifth group repeats; the other keys do not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import Engine, create_engine, inspect

from tests.benchmarks.bench_vaccination import line, median, note, spread
from tests.conftest import known_servers
from vaccine.audit.counts import KeyQuery, count_keys
from vaccine.audit.run import AuditSettings, run_audit
from vaccine.catalog.reader import Reader
from vaccine.catalog.reflect import reflect
from vaccine.demo.server import FAST, Server, serve

TABLES = int(os.environ.get("VACCINE_BENCH_TABLES", "10000"))
ROWS = int(os.environ.get("VACCINE_BENCH_ROWS", "5000000"))
RUNS = int(os.environ.get("VACCINE_BENCH_RUNS", "5"))
VERSION = os.environ.get("VACCINE_BENCH_PG", "18")
PARTS = os.environ.get("VACCINE_BENCH_PARTS", "catalog,evidence,help").split(",")
SETTINGS = {**FAST, "shared_buffers": "1GB", "max_wal_size": "8GB", "max_locks_per_transaction": "1000"}

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
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'
"""
BODY = (
    "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id bigint NOT NULL, code varchar(40) NOT NULL,"
    " slug text, name text NOT NULL DEFAULT '', status varchar(20) DEFAULT 'open', source_id text,"
    " amount numeric(12,2), created_at timestamptz DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,"
    " note text"
)
MEMORY = """
import contextlib, io, resource, sys
from vaccine.cli import cli
with contextlib.redirect_stdout(io.StringIO()):
    cli.main(["audit", "--structure-only", "--url", sys.argv[1]], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def side_by_side(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Seconds of each run of both sides, in turn, after one warm-up each."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(RUNS + 1):
        for kept, side in zip(times, (ours, theirs), strict=True):
            start = time.perf_counter()
            side()
            if number:
                kept.append(time.perf_counter() - start)
    return times


def beside(name: str, times: tuple[list[float], list[float]], other: str, most: str, digits: int = 2) -> None:
    ours, theirs = times
    ratio = median(ours) / median(theirs)
    line(name, spread(ours, "s", digits), f"{other}: {spread(theirs, 's', digits)}", f"{ratio:.2f}", most)


def make_tables(url: str, tables: int = TABLES) -> None:
    """Tables that are alike, and one that they all refer to."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE tenants (id bigint PRIMARY KEY)")
        for first in range(0, tables, 200):
            with connection.transaction():
                for number in range(first, min(first + 200, tables)):
                    name = f"table_{number:05d}"
                    connection.execute(
                        f"CREATE TABLE {name} ({BODY}, FOREIGN KEY (tenant_id) REFERENCES tenants (id));"
                        f" CREATE INDEX ON {name} (tenant_id);"
                        f" CREATE UNIQUE INDEX ON {name} (code) WHERE deleted_at IS NULL"
                    )
        connection.execute("VACUUM ANALYZE")


def inspector(engine: Engine) -> None:
    """The same facts by SQLAlchemy's bulk reflection."""
    found = inspect(engine)
    for facts in ("columns", "pk_constraint", "indexes", "foreign_keys", "unique_constraints", "check_constraints"):
        getattr(found, f"get_multi_{facts}")()
    engine.dispose()


def catalog(url: str) -> None:
    """Reflection, the whole audit without rows, and the client's memory."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with psycopg.connect(url, autocommit=True) as connection:

        def bare() -> None:
            connection.execute(COLUMNS).fetchall()
            connection.execute(INDEXES).fetchall()

        times = side_by_side(lambda: reflect(Reader(connection)), lambda: inspector(engine))
        beside("catalog part ÷ Inspector.get_multi_*", times, "get_multi_*", "0.4")
        times = side_by_side(lambda: run_audit(connection, AuditSettings(data=False)), bare)
        beside("whole audit without data ÷ two bare catalog queries", times, "two queries", "3")
    peaks = [
        int(subprocess.run([sys.executable, "-c", MEMORY, url], capture_output=True, text=True, check=True).stdout)
        for _ in range(min(RUNS, 3))
    ]
    line(
        "client memory of `vaccine audit --structure-only`",
        spread([kb / 1024 for kb in peaks], "MB", 0),
        "",
        "",
        "250 MB",
    )


def make_rows(url: str) -> None:
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
            {"rows": ROWS},
        )
        connection.execute("VACUUM ANALYZE big")


def evidence(url: str) -> None:
    """What the rows say of one key and of four, beside queries by hand."""
    hand = (
        "SELECT {key}, count(*) FROM big WHERE status = 'open' AND {key} IS NOT NULL GROUP BY {key} HAVING count(*) > 1"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        reader = Reader(connection)
        table = reflect(reader).by_name["public", "big"]

        def ours(*keys: str) -> None:
            with reader.block():
                count_keys(reader, table, [KeyQuery((key,), "status = 'open'") for key in keys])

        def by_hand(*keys: str) -> None:
            connection.execute("SET jit = off")
            for key in keys:
                connection.execute(hand.format(key=key)).fetchall()

        times = side_by_side(lambda: ours("k1"), lambda: by_hand("k1"))
        beside(f"evidence for one key, {ROWS:,} rows ÷ GROUP BY … HAVING", times, "by hand", "1.15")
        four = ("k1", "k2", "k3", "k4")
        times = side_by_side(lambda: ours(*four), lambda: by_hand(*four))
        beside("four keys of one table ÷ four such queries", times, "by hand", "0.7")


def help_text() -> None:
    """What a person waits for before anything is read."""
    bin_dir = Path(sys.executable).parent
    commands = [[str(bin_dir / name), "--help"] for name in ("vaccine", "alembic")]
    sides = [lambda command=command: subprocess.run(command, capture_output=True, check=True) for command in commands]
    beside("`vaccine --help` ÷ `alembic --help`", side_by_side(*sides), "alembic", "1.2", 3)


def on_server(server: Server, name: str, make: Callable[[str], None], run: Callable[[str], None]) -> None:
    """A database of its own for one part."""
    note(f"preparing {name}")
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    make(server.url_of(name))
    note(f"measuring {name}")
    run(server.url_of(name))


def main() -> None:
    """Print one table; progress goes to stderr."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server stops with us
    with serve(known_servers()[VERSION], SETTINGS) as server:
        with psycopg.connect(server.url) as connection:
            version = connection.info.parameter_status("server_version")
        print(f"PostgreSQL {version}, {TABLES:,} tables, {ROWS:,} rows, medians of {RUNS}, "
              f"{time.strftime('%Y-%m-%d %H:%M')} UTC, load {os.getloadavg()[0]:.1f} at the start\n")  # fmt: skip
        line("figure", "Vaccine: median (least to greatest)", "beside it", "ratio", "at most")
        print("|---|--:|--:|--:|--:|", flush=True)
        if "catalog" in PARTS:
            on_server(server, "catalog", make_tables, catalog)
        if "evidence" in PARTS:
            on_server(server, "evidence", make_rows, evidence)
    if "help" in PARTS:
        help_text()


if __name__ == "__main__":
    main()
