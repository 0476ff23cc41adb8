"""The audit against schemas whose true unique keys are known: `make bench-keys VACCINE_CORPUS=folder`.

The folder holds `dev/*.json.gz` (facts), `load.py` (creates a schema without its unique keys) and
`score.py` (compares predictions with the truth). Each schema is loaded into a database of a
throw-away server, twice: without the unique keys, and with them as plain indexes.
The real path runs: reflection, then candidate keys. Figures go to stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from vaccine.candidates import SHOWN_AT, candidate_keys
from vaccine.catalog.reader import Reader
from vaccine.catalog.reflect import reflect
from vaccine.demo.server import Server, embedded_bindir, serve


def predict(server: Server, corpus: Path, facts: Path, mode: str, folder: Path) -> tuple[Path, Path]:
    """The files of predictions for one schema: all of them, and those shown by default."""
    name = f"{facts.name.split('.')[0]}{mode.replace('-', '_')}"
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    url = server.url_of(name)
    command = [sys.executable, str(corpus / "load.py"), str(facts), url, *([mode] if mode else [])]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    with psycopg.connect(url, autocommit=True) as connection:
        catalog = reflect(Reader(connection), with_frameworks=True)
    started = time.perf_counter()
    keys = candidate_keys(catalog)
    taken = time.perf_counter() - started
    print(f"  {name}: {len(catalog.tables)} tables, candidate keys in {taken:.3f} s", file=sys.stderr)
    files = []
    for suffix, floor in (("all", 0.0), ("shown", SHOWN_AT)):
        rows = [
            {"schema": k.schema, "table": k.table, "columns": list(k.columns), "score": k.score}
            for k in keys
            if k.score >= floor
        ]
        file = folder / f"{name}.{suffix}.json"
        file.write_text(json.dumps(rows))
        files.append(file)
    return files[0], files[1]


def main() -> None:
    """Load, predict, score; exit status 2 without a corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", default=os.environ.get("VACCINE_CORPUS"))
    corpus = parser.parse_args().corpus
    if not corpus:
        parser.error("name the folder of facts as an argument or in VACCINE_CORPUS")
    corpus = Path(corpus)
    with serve(embedded_bindir()) as server, tempfile.TemporaryDirectory() as scratch:
        for mode in ("", "--plain-indexes"):
            pairs: dict[str, list[str]] = {"all": [], "shown": []}
            for facts in sorted(corpus.glob("dev/*.json.gz")):
                every, shown = predict(server, corpus, facts, mode, Path(scratch))
                pairs["all"] += [str(facts), str(every)]
                pairs["shown"] += [str(facts), str(shown)]
            for kind, files in pairs.items():
                print(
                    f"== {'plain indexes' if mode else 'structure alone'}, {kind} (shown: from {SHOWN_AT})", flush=True
                )
                subprocess.run([sys.executable, str(corpus / "score.py"), *files], check=True)


if __name__ == "__main__":
    main()
