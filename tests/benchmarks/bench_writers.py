"""How fast source code is searched for writers, in lines a second of one core.

    python -m tests.benchmarks.bench_writers [--runs 5]

Two trees: the Python packages that Vaccine itself uses (ordinary code), and a tree made of nothing but
the writers of tests/writers/pairs (the worst case: every file holds a writer in each of ten languages).
Time is the process' CPU time: the search uses one thread. Figures are medians.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import tomllib
from importlib.util import find_spec
from pathlib import Path

from vaccine.writers.scanner import scan

PAIRS = Path(__file__).parent.parent / "writers" / "pairs"
PACKAGES = ("alembic", "click", "mypy", "psycopg", "rich", "sqlalchemy", "sqlglot")
FLOOR = 20_000


def _packages() -> list[Path]:
    specs = [find_spec(name) for name in PACKAGES]
    return [Path(spec.origin).parent for spec in specs if spec is not None and spec.origin is not None]


def _dense(folder: Path) -> Path:
    """Every pair 40 times over, a file for each writer, with ordinary lines between."""
    for file in sorted(PAIRS.glob("*.toml")):
        data = tomllib.loads(file.read_text("utf-8"))
        for number, case in enumerate(data["case"] * 40):
            (folder / f"{file.stem}_{number}.{data['ending']}").write_text(case["found"] + "\n" * 3 + case["twin"])
    return folder


def _measure(name: str, paths: list[Path], runs: int, floor: int | None = None) -> None:
    rates = []
    for _ in range(runs):
        begun = time.process_time()
        found = scan(paths, everything=True)
        rates.append(found.counts.lines / (time.process_time() - begun))
    rate = statistics.median(rates)
    verdict = "no floor" if floor is None else f"at least {floor:,}: " + ("holds" if rate >= floor else "FAILS")
    counts = found.counts
    print(f"| {name} | {counts.read:,} | {counts.lines:,} | {len(found.writers):,} | {rate:,.0f} | {verdict} |")


def main() -> None:
    """Print both rates as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    print("| tree | files | lines | writers | lines/s of one core | |")
    print("|---|---|---|---|---|---|")
    _measure("packages", _packages(), runs, FLOOR)
    with tempfile.TemporaryDirectory() as folder:
        _measure("nothing but writers", [_dense(Path(folder))], runs)


if __name__ == "__main__":
    main()
