"""`alembic` itself, with a stopwatch: python -m tests.benchmarks.timed_alembic FIGURES.json upgrade head

Runs the real command in this process, then writes what it cost as JSON: seconds of each operation of the
revision, milliseconds that each batch held its locks, and the highest resident memory of the process (VmHWM
of this program alone; ru_maxrss would still count the parent from before exec).
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import config

from vaccine.operations import invoke
from vaccine.operations.rows.pace import Pace

TIMED = ("resolve_duplicates", "create_unique_index", "drop_unique_index", "restore_duplicates", "resolve")


def main() -> None:
    """Run alembic with the arguments behind the first."""
    seconds: dict[str, float] = {}
    held: list[float] = []
    for name in TIMED:
        setattr(invoke, name, _timed(name, getattr(invoke, name), seconds))
    learn = Pace.learn

    def learn_and_note(self: Pace, rows: int, held_ms: float) -> None:
        held.append(held_ms)
        learn(self, rows, held_ms)

    Pace.learn = learn_and_note  # type: ignore[method-assign]
    began, used = time.perf_counter(), time.process_time()
    config.main(argv=sys.argv[2:])
    whole, cpu = time.perf_counter() - began, time.process_time() - used
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    figures = {"seconds": seconds, "whole_s": whole, "held_ms": held, "peak_kb": int(found[1]), "cpu_s": cpu}
    Path(sys.argv[1]).write_text(json.dumps(figures))


def _timed(name: str, action: Callable[..., Any], seconds: dict[str, float]) -> Callable[..., Any]:
    def timed(*args: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return action(*args, **named)
        finally:
            seconds[name] = seconds.get(name, 0) + time.perf_counter() - began

    return timed


if __name__ == "__main__":
    main()
