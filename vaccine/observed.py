"""Writers as the database itself shows them: flows, functions, and what the statistics counted."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from vaccine.catalog import Catalog, Table
from vaccine.finding import Writer

_INSERT = re.compile(
    r"\b(?:insert\s+into|merge\s+into)\s+(?:only\s+)?((?:\"(?:[^\"]|\"\")+\"|[\w$]+)(?:\s*\.\s*(?:\"(?:[^\"]|\"\")+\"|[\w$]+))?)",
    re.IGNORECASE,
)
FEW_INSERTS = 100


def tables_inserted(text: str) -> tuple[tuple[str | None, str], ...]:
    """The (schema or None, table) that INSERT or MERGE statements in a text name."""
    found = []
    for match in _INSERT.finditer(text):
        parts = [part.strip() for part in re.findall(r'"(?:[^"]|"")+"|[\w$]+', match.group(1))]
        names = [part[1:-1].replace('""', '"') if part.startswith('"') else part.lower() for part in parts]
        found.append((names[0], names[1]) if len(names) == 2 else (None, names[0]))
    return tuple(dict.fromkeys(found))


def observed_writers(catalog: Catalog) -> Mapping[tuple[str, str], tuple[Writer, ...]]:
    """Writers by (schema, table), the surest first."""
    named: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for table in catalog.tables:
        named[table.name].append((table.schema, table.name))
    found: dict[tuple[str, str], list[Writer]] = defaultdict(list)
    for flow in catalog.flows:
        for spot in named.get(flow.table, ()):
            evidence = f"active Directus flow with an operation of type {flow.operation}"
            found[spot].append(Writer("flow", flow.name, confidence=0.9, evidence=evidence))
    for function in catalog.functions:
        kind = "trigger function" if function.trigger else "function"
        for schema, name in tables_inserted(function.body):
            for spot in named.get(name, ()):
                if schema in {None, spot[0]}:
                    full = f"{function.schema}.{function.name}"
                    found[spot].append(Writer("function", full, confidence=0.8, evidence=f"{kind} that inserts"))
    for table in catalog.tables:
        if table.inserts:
            found[table.schema, table.name].append(_statistics(table, catalog.stats_reset_at))
    return {spot: tuple(writers) for spot, writers in found.items()}


def _statistics(table: Table, reset_at: str | None) -> Writer:
    since = f"since {reset_at[:10]}" if reset_at else "since the statistics began"
    confidence = 0.5 if (table.inserts or 0) >= FEW_INSERTS else 0.2
    return Writer("statistics", "inserts", confidence=confidence, evidence=f"{table.inserts:,} rows inserted {since}")
