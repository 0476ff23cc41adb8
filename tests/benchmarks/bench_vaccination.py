"""A vaccination beside the best that a person writes by hand, idle and under eight writers: `make bench`.

    python -m tests.benchmarks vaccination

VACCINE_BENCH_ROWS (5000000), VACCINE_BENCH_RUNS (5), VACCINE_BENCH_PG (18), VACCINE_BENCH_FSYNC (on) and
VACCINE_BENCH_PARTS (idle,triggers,writers,scale,memory) scale it or choose a part.

One row in ten is open. Of ten open rows two share a key, three share another, five are alone: at 5M rows
that makes 500k open rows, 100k groups and 150k rows to resolve. The members of a group lie far apart.
Each run works on a fresh copy of one prepared database (CREATE DATABASE … TEMPLATE … STRATEGY FILE_COPY),
read once from end to end and checkpointed before the clock starts. Sides alternate.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.alembic_env import make_environment, write_revision
from tests.conftest import known_servers
from vaccine.demo.server import Server, serve

REPOSITORY = Path(__file__).parents[2]
ROWS = int(os.environ.get("VACCINE_BENCH_ROWS", "5000000"))
RUNS = int(os.environ.get("VACCINE_BENCH_RUNS", "5"))
VERSION = os.environ.get("VACCINE_BENCH_PG", "18")
FSYNC = os.environ.get("VACCINE_BENCH_FSYNC", "on")
PARTS = os.environ.get("VACCINE_BENCH_PARTS", "idle,triggers,writers,scale,memory").split(",")
WRITERS = 8
REST_S = 0.01  # between two writes of one writer: 8 writers make up to 800 writes a second

SETTINGS = {
    "fsync": FSYNC,
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "2GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "max_connections": "60",
    "log_min_messages": "fatal",
}

INDEX = "uq_issues_open_code"
LIVE = "status = 'open' AND code IS NOT NULL"
KEY = {"schema": "public", "table": "issues", "columns": ["code"], "where": LIVE}
POLICY = {
    "survivor": ["seen_at DESC NULLS LAST", "id DESC"], "assign": {"status": "resolved"}, "keep": [],
    "max_rows": 10_000_000, "plan": "6f1c2e0a",
}  # fmt: skip

TABLE = "CREATE TABLE issues (id bigint PRIMARY KEY, code text, status text NOT NULL, note text, seen_at timestamptz)"
# Live rows are those with a number divisible by {every}; slot 0 and 1 of a block share a key, so do 2, 3 and 4.
FILL = """
INSERT INTO issues
SELECT i, md5(CASE WHEN i %% %(every)s <> 0 THEN 'closed ' || i
                   WHEN slot < 2 THEN 'two ' || block WHEN slot < 5 THEN 'three ' || block ELSE 'one ' || i END),
       CASE WHEN i %% %(every)s = 0 THEN 'open' ELSE 'resolved' END, 'seen by the importer ' || i %% 1000,
       timestamptz '2026-01-01 00:00+00' + i * interval '1 second'
  FROM (SELECT i, (i / %(every)s) %% %(blocks)s AS block, (i / %(every)s) / %(blocks)s AS slot
          FROM generate_series(0, %(rows)s - 1) AS i) AS numbered
"""
BY_HAND = (
    """
    UPDATE issues SET status = 'resolved'
     WHERE status = 'open' AND code IS NOT NULL
       AND EXISTS (SELECT FROM issues AS newer
                    WHERE newer.code = issues.code AND newer.status = 'open'
                      AND (newer.seen_at, newer.id) > (issues.seen_at, issues.id))
    """,
    f"CREATE UNIQUE INDEX CONCURRENTLY {INDEX} ON issues (code) WHERE {LIVE}",
)


@dataclass(frozen=True)
class Fresh:
    """Copies of one prepared database on a server."""

    server: Server
    template: str

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The URL of a fresh copy: read once, checkpointed, dropped at the end."""
        name, template = sql.Identifier("work"), sql.Identifier(self.template)
        with psycopg.connect(self.server.url, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(name, template))
            url = self.server.url_of("work")
            try:
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("SELECT count(*), count(note) FROM issues")
                    connection.execute("CHECKPOINT")
                yield url
            finally:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def prepare(server: Server, name: str, rows: int, *, every: int = 10) -> Fresh:
    """A prepared database of `rows` rows, one in `every` of them live."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with psycopg.connect(server.url_of(name), autocommit=True) as connection:
        connection.execute(TABLE)
        connection.execute(FILL, {"rows": rows, "every": every, "blocks": max(1, rows // every // 10)})
        connection.execute("VACUUM (FREEZE, ANALYZE) issues")
    return Fresh(server, name)


@dataclass
class Upgraded:
    """What one `alembic upgrade` and, where asked for, the `downgrade` behind it cost. Seconds, ms, kB."""

    dedupe_s: float
    batches_s: float
    index_s: float
    whole_s: float
    held_ms: list[float]
    peak_kb: int
    client_cpu_s: float
    server_cpu_s: float = 0.0
    restore_s: float = 0.0
    restore_held_ms: list[float] = field(default_factory=list)

    @property
    def upgrade_s(self) -> float:
        """Both operations of the revision, preflight and verify included, without the start of Python."""
        return self.dedupe_s + self.index_s


def server_cpu(server: Server) -> float:
    """Seconds of CPU, user and system, that all processes of a server have used: they tell most on a busy machine."""
    postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended just now
        if int(stat.parent.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))  # its own and those of children that have ended
        elif int(fields[1]) == postmaster:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def vaccinate(url: str, *, server: Server, downgrade: bool = False) -> Upgraded:
    """The real command, in a process of its own, with a revision as `vaccine revision` writes it."""
    with tempfile.TemporaryDirectory(prefix="vaccine-bench-") as folder:
        environment = make_environment(Path(folder), url)
        write_revision(environment, KEY, POLICY, index=INDEX)

        def alembic(*arguments: str) -> tuple[dict[str, Any], float]:
            figures = Path(folder) / "figures.json"
            command = [sys.executable, "-m", "tests.benchmarks.timed_alembic", str(figures), *arguments]
            began = time.perf_counter()
            done = subprocess.run(
                command, cwd=folder, env={**environment.environ(), "PYTHONPATH": str(REPOSITORY)},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                sys.exit(f"alembic {' '.join(arguments)} failed\n{done.stdout}\n{done.stderr}")
            if os.environ.get("VACCINE_BENCH_SHOW"):
                print(done.stdout + done.stderr, file=sys.stderr)
            return json.loads(figures.read_text()), time.perf_counter() - began

        used = server_cpu(server)
        up, whole = alembic("upgrade", "head")
        used = server_cpu(server) - used
        seconds = up["seconds"]
        cost = Upgraded(
            seconds["resolve_duplicates"], seconds["resolve"], seconds["create_unique_index"], whole,
            up["held_ms"], up["peak_kb"], up["cpu_s"],
        )  # fmt: skip
        cost.server_cpu_s = used
        if downgrade:
            down, _ = alembic("downgrade", "base")
            cost.restore_s = down["seconds"]["restore_duplicates"]
            cost.restore_held_ms = down["held_ms"]
        return cost


def by_hand(url: str, server: Server) -> tuple[float, float, float]:
    """Seconds of the UPDATE and of the index, as a person runs them in psql; and of the server's CPU for both."""
    seconds, used = [], server_cpu(server)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in BY_HAND:
            began = time.perf_counter()
            connection.execute(statement)
            seconds.append(time.perf_counter() - began)
    return seconds[0], seconds[1], server_cpu(server) - used


def write(url: str, number: int, rows: int, every: int, stop: Event, results: Any) -> None:
    """One writer: by turns a new live row with a new key, and a touch of a live row that is there."""
    worst, count, next_id = 0.0, 0, rows + number
    with psycopg.connect(url, autocommit=True) as connection:
        results.put(None)
        while not stop.is_set():
            if count % 2:
                picked = (count * 7919 + number * 104729) % (rows // every) * every
                statement = "UPDATE issues SET note = %s WHERE id = %s"
                values: tuple[object, ...] = (f"touched {count}", picked)
            else:
                statement = "INSERT INTO issues VALUES (%s, %s, 'open', 'new', now())"
                values, next_id = (next_id, f"new {next_id}"), next_id + WRITERS
            began = time.perf_counter()
            connection.execute(statement, values)
            worst, count = max(worst, time.perf_counter() - began), count + 1
            time.sleep(REST_S)
    results.put((worst * 1000, count))


@contextmanager
def writing(url: str) -> Iterator[list[tuple[float, int]]]:
    """Eight writers meanwhile; at the end the list holds the slowest write in ms and the number of writes of each."""
    context = multiprocessing.get_context("spawn")
    stop, results = context.Event(), context.Queue()
    found: list[tuple[float, int]] = []
    writers = [context.Process(target=write, args=(url, n, ROWS, 10, stop, results)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in writers:
            results.get(timeout=60)
        yield found
    finally:
        stop.set()
        found += [results.get(timeout=60) for _ in writers]
        for writer in writers:
            writer.join()


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float], unit: str, digits: int = 1) -> str:
    """The median, and the least and the greatest in brackets."""
    return f"{median(values):.{digits}f} {unit} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def line(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def note(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def idle(fresh: Fresh) -> list[Upgraded]:
    """Ours and by hand in turn on a quiet server, and the way back of ours."""
    hands: list[tuple[float, float, float]] = []
    ours: list[Upgraded] = []
    for run in range(RUNS):
        with fresh.copy() as url:
            hands.append(by_hand(url, fresh.server))
        with fresh.copy() as url:
            ours.append(vaccinate(url, server=fresh.server, downgrade=True))
        last = ours[-1]
        note(f"idle {run + 1}: hand {hands[-1]}, dedupe {last.dedupe_s:.2f} s, index {last.index_s:.2f} s, restore "
             f"{last.restore_s:.2f} s, {len(last.held_ms)} batches, max {max(last.held_ms):.0f} ms")  # fmt: skip
    updates, builds, hand_cpu = (list(each) for each in zip(*hands, strict=True))
    hand = [update + build for update, build in zip(updates, builds, strict=True)]
    upgrades, dedupes = [each.upgrade_s for each in ours], [each.dedupe_s for each in ours]
    indexes, cpu = [each.index_s for each in ours], [each.server_cpu_s for each in ours]
    for name, mine, other, theirs, most in (
        ("upgrade, both operations", upgrades, "by hand", hand, "1.5"),
        ("its dedupe", dedupes, "UPDATE", updates, ""),
        ("its index", indexes, "CREATE INDEX CONCURRENTLY", builds, ""),
        ("CPU of the server, both operations", cpu, "by hand", hand_cpu, ""),
    ):
        line(name, spread(mine, "s"), f"{other}: {spread(theirs, 's')}", f"{median(mine) / median(theirs):.2f}", most)
    line("CPU of the client", spread([each.client_cpu_s for each in ours], "s"), "", "", "")
    line("the whole command, Python's start included", spread([each.whole_s for each in ours], "s"), "", "", "")
    locks("locks held by one batch of the dedupe, idle", [each.held_ms for each in ours], "50 ms")
    line("restore ÷ dedupe", spread([each.restore_s for each in ours], "s"),
         "dedupe: " + spread(dedupes, "s"),
         f"{median([each.restore_s / each.dedupe_s for each in ours]):.2f}", "0.5")  # fmt: skip
    locks("locks held by one batch of the restore, idle", [each.restore_held_ms for each in ours], "")
    rows = ROWS // 100 * 3
    line("rows resolved in a second", f"{median([rows / each.batches_s for each in ours]):.0f}", "", "", "")
    return ours


def locks(name: str, runs: Sequence[Sequence[float]], most: str) -> None:
    p99 = [percentile(run, 0.99) for run in runs]
    line(name + ", p99", spread(p99, "ms"),
         f"p50 {median([median(run) for run in runs]):.1f} ms, max {max(map(max, runs)):.0f} ms, "
         f"{median([len(run) for run in runs]):.0f} batches", "", most)  # fmt: skip


def under_writers(fresh: Fresh) -> None:
    """The slowest of all writes while a vaccination runs, beside the slowest of the same writers alone as long."""
    alone, beside, held, ratios, taken = [], [], [], [], []
    for run in range(RUNS):
        with fresh.copy() as url:
            began = time.perf_counter()
            with writing(url) as with_it:
                cost = vaccinate(url, server=fresh.server)
            seconds = time.perf_counter() - began
        with fresh.copy() as url, writing(url) as without:
            time.sleep(cost.whole_s)
        beside.append(max(worst for worst, _ in with_it))
        alone.append(max(worst for worst, _ in without))
        ratios.append(beside[-1] / alone[-1])
        held.append(cost.held_ms)
        taken.append(cost.upgrade_s)
        note(f"writers {run + 1}: with {beside[-1]:.0f} ms ({sum(n for _, n in with_it)} writes in {seconds:.0f} s), "
             f"without {alone[-1]:.0f} ms ({sum(n for _, n in without)} writes), {len(cost.held_ms)} batches, "
             f"dedupe {cost.dedupe_s:.1f} s, index {cost.index_s:.1f} s")  # fmt: skip
    line("slowest write of 8 writers", spread(beside, "ms", 0), "without it: " + spread(alone, "ms", 0),
         f"{median(ratios):.2f}", "3")  # fmt: skip
    locks("locks held by one batch, 8 writers", held, "50 ms")
    line("the upgrade meanwhile", spread(taken, "s"), "", "", "")


def scale(server: Server, large: Sequence[Upgraded]) -> None:
    """The same share of duplicates in a tenth of the rows."""
    fresh = prepare(server, "small", ROWS // 10)
    small = []
    for _ in range(RUNS):
        with fresh.copy() as url:
            small.append(vaccinate(url, server=server))
    ratio = median([each.upgrade_s for each in large]) / median([each.upgrade_s for each in small])
    line(f"upgrade of {ROWS:,} ÷ of {ROWS // 10:,} rows", spread([each.upgrade_s for each in large], "s"),
         spread([each.upgrade_s for each in small], "s", 2), f"{ratio:.1f}", "12")  # fmt: skip


TRIGGERS = {
    "BEFORE, that leaves the row": "BEFORE UPDATE", "AFTER, that writes a log": "AFTER UPDATE",
    "BEFORE, that stamps seen_at": "BEFORE UPDATE",
}  # fmt: skip
BODIES = {
    "BEFORE, that leaves the row": "RETURN NEW;",
    "AFTER, that writes a log": "INSERT INTO log VALUES (NEW.id, OLD.status); RETURN NULL;",
    "BEFORE, that stamps seen_at": "NEW.seen_at := clock_timestamp(); RETURN NEW;",
}


def triggers(server: Server) -> None:
    """The way back of a table whose row trigger fires both ways, in a tenth of the rows."""
    for number, (name, when) in enumerate(TRIGGERS.items()):
        fresh = prepare(server, f"triggers_{number}", ROWS // 10)
        with psycopg.connect(server.url_of(fresh.template), autocommit=True) as connection:
            connection.execute("CREATE TABLE log (id bigint, was text)")
            connection.execute(f"CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {BODIES[name]} END'")
            connection.execute(f"CREATE TRIGGER fires {when} ON issues FOR EACH ROW EXECUTE FUNCTION fire()")
        ours = []
        for _ in range(RUNS):
            with fresh.copy() as url:
                ours.append(vaccinate(url, server=server, downgrade=True))
        line(f"restore ÷ dedupe, a row trigger {name}", spread([each.restore_s for each in ours], "s", 2),
             "dedupe: " + spread([each.dedupe_s for each in ours], "s", 2),
             f"{median([each.restore_s / each.dedupe_s for each in ours]):.2f}", "1.0")  # fmt: skip


def memory(server: Server) -> None:
    """The highest resident memory of the client at 1M rows to resolve and at 1k (at smaller ROWS, a fifth of them)."""
    peaks = []
    for number, excess in enumerate((ROWS // 5, 1000)):
        # All rows live: three of ten are excess.
        with prepare(server, f"memory_{number}", excess // 3 * 10 + 10, every=1).copy() as url:
            began = time.perf_counter()
            peaks.append(vaccinate(url, server=server))
            note(f"memory: {excess} rows in {time.perf_counter() - began:.0f} s, {peaks[-1].peak_kb} kB")
    many, few = (each.peak_kb / 1024 for each in peaks)
    line(f"client memory, {ROWS // 5:,} ÷ 1,000 rows to resolve", f"{many:.1f} MB", f"{few:.1f} MB",
         f"{many / few:.2f}", "1.2")  # fmt: skip


def main() -> None:
    """Print one table; progress goes to stderr."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server stops with us
    with serve(known_servers()[VERSION], SETTINGS) as server:
        with psycopg.connect(server.url) as connection:
            version = connection.execute("SHOW server_version").fetchone()
        note("preparing")
        fresh = prepare(server, "prepared", ROWS if {"idle", "writers", "scale"} & set(PARTS) else 1000)
        print(f"PostgreSQL {version[0] if version else ''}, {ROWS:,} rows, {ROWS // 100 * 3:,} to resolve in "
              f"{ROWS // 50:,} groups, medians of {RUNS}, fsync {FSYNC}, {time.strftime('%Y-%m-%d %H:%M')} UTC, "
              f"load {os.getloadavg()[0]:.1f} at the start\n")  # fmt: skip
        line("figure", "Vaccine: median (least to greatest)", "beside it", "ratio", "at most")
        print("|---|--:|--:|--:|--:|")
        ours = idle(fresh) if "idle" in PARTS or "scale" in PARTS else []
        if "triggers" in PARTS:
            triggers(server)
        if "writers" in PARTS:
            under_writers(fresh)
        if "scale" in PARTS:
            scale(server, ours)
        if "memory" in PARTS:
            memory(server)


if __name__ == "__main__":
    main()
