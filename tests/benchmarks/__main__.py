"""`make bench`: all benchmarks in turn, or those named: `python -m tests.benchmarks vaccination audit`.

Each is a module bench_NAME.py here with a main() of its own, run in a process of its own; what it prints
are Markdown tables. Environment variables scale them down, as each module says (VACCINE_BENCH_ROWS=50000).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NEEDS = {"keys": "VACCINE_CORPUS"}  # left out of a run of all when the variable is not set


def main() -> int:
    """Run the chosen benchmarks; the exit status is 0 when all ended well."""
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(known)}; all of them by default")
    chosen = parser.parse_args().names
    for name in chosen:
        if name not in known:
            parser.error(f"there is no benchmark {name}: choose from {', '.join(known)}")
    failed = []
    for name in chosen or known:
        if not chosen and name in NEEDS and not os.environ.get(NEEDS[name]):
            print(f"\n## {name}: left out, {NEEDS[name]} is not set", flush=True)
            continue
        print(f"\n## {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"tests.benchmarks.bench_{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
