"""Writers that source code shows, for the tables of a catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from vaccine.audit.finding import Writer
from vaccine.audit.sightings.evidence import by_table
from vaccine.catalog.model import Catalog
from vaccine.writers.scanner import OUT_OF_TIME, scan


def source_writers(
    catalog: Catalog, folders: Sequence[Path], deadline: float | None = None
) -> tuple[Mapping[tuple[str, str], tuple[Writer, ...]], int]:
    """The writers found in the folders, by (schema, table); a bare table name fits every schema that has it.

    And how many files were not read before `deadline` (of time.monotonic()).
    """
    seen = scan(folders, deadline=deadline)
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for table in catalog.tables:
        places[table.name].append((table.schema, table.name))
    found: dict[tuple[str, str], list[Writer]] = defaultdict(list)
    for name, writer in by_table(seen):
        schema, _, bare = name.rpartition(".")
        for spot in places.get(bare, ()):
            if schema in {"", spot[0]}:
                found[spot].append(writer)
    return {spot: tuple(writers) for spot, writers in found.items()}, dict(seen.counts.skipped).get(OUT_OF_TIME, 0)
