"""Writers as the database itself shows them: flows, activity, functions, statements, statistics, grants."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from vaccine.audit.finding import Writer
from vaccine.audit.hints.statements import Statements
from vaccine.catalog.model import Catalog, SeenStatement, Table
from vaccine.catalog.reader import Reader, question

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_INSERT = re.compile(rf"\b(?:insert|merge)\s+into\s+(?:only\s+)?({_NAME}(?:\s*\.\s*{_NAME})?)", re.IGNORECASE)
_PART = re.compile(_NAME)
MANY_INSERTS = 100  # from here on the statistics speak of a writer rather than of somebody's hands
ACTIVITY_TIMEOUT_MS = 5000
SHOWN = 5  # writers of one kind for one table

Spot = tuple[str, str]
Writers = Mapping[Spot, tuple[Writer, ...]]


@dataclass
class _Found:
    """Writers while they are gathered, and where a bare table name may be."""

    places: Mapping[str, list[Spot]]
    writers: dict[Spot, list[Writer]] = field(default_factory=lambda: defaultdict(list))

    def add(self, table: str, schema: str | None, writer: Writer) -> None:
        for spot in self.places.get(table, ()):
            known = self.writers[spot]
            if schema in {None, spot[0]} and sum(other.kind == writer.kind for other in known) < SHOWN:
                known.append(writer)


def tables_inserted(text: str) -> tuple[tuple[str | None, str], ...]:
    """The (schema or None, table) that INSERT or MERGE statements in a text name."""
    found = []
    for match in _INSERT.finditer(text):
        parts = _PART.findall(match.group(1))
        names = [part[1:-1].replace('""', '"') if part.startswith('"') else part.lower() for part in parts]
        found.append((names[0], names[1]) if len(names) == 2 else (None, names[0]))
    return tuple(dict.fromkeys(found))


def observe(reader: Reader, catalog: Catalog, statements: Statements) -> tuple[Writers, tuple[str, ...]]:
    """Writers by (schema, table), the surest first, and what could not be seen."""
    found = _Found(catalog.places)
    _flows(catalog, found)
    unknowns = [*_activity(reader, catalog, found), *statements.unknowns]
    _statements(statements.inserts, found)
    _functions(catalog, found)
    _statistics(catalog, found)
    _grants(reader, catalog, found)
    if catalog.in_recovery:
        unknowns.append("inserts: a standby keeps no table statistics of its primary; audit the primary for those")
    return {spot: tuple(writers) for spot, writers in found.writers.items()}, tuple(unknowns)


def filled_by_trigger(writers: tuple[Writer, ...]) -> bool:
    """Whether a trigger function inserts into the table and nothing surer does."""
    functions = [writer for writer in writers if writer.kind in {"function", "flow", "activity"}]
    return bool(functions) and all(writer.evidence.startswith("trigger") for writer in functions)


def _flows(catalog: Catalog, found: _Found) -> None:
    for flow in catalog.flows:
        evidence = f"active Directus flow, operation {flow.operation}"
        found.add(flow.table, None, Writer("flow", flow.name, confidence=0.9, evidence=evidence))


def _activity(reader: Reader, catalog: Catalog, found: _Found) -> list[str]:
    if catalog.activity is None:
        return []
    query = sql.SQL(question("directus_activity")).format(activity=sql.Identifier(*catalog.activity))
    try:
        with reader.block(ACTIVITY_TIMEOUT_MS):
            rows = reader.rows(query)
    except psycopg.Error as error:
        return [f"writers in directus_activity: not read ({_first_line(error)})"]
    for table, agent, items, last in rows:
        evidence = f"{items:,} items created through Directus, last {last:%Y-%m-%d}"
        found.add(table, None, Writer("activity", agent, confidence=0.9, evidence=evidence))
    return []


def _statements(statements: Sequence[SeenStatement], found: _Found) -> None:
    for statement in statements:
        for schema, table in tables_inserted(statement.text):
            words = " ".join(statement.text.split())
            short = words if len(words) <= 80 else words[:77] + "..."
            evidence = f"called {statement.calls:,} times"
            found.add(table, schema, Writer("statement", short, confidence=0.9, evidence=evidence))


def _functions(catalog: Catalog, found: _Found) -> None:
    for function in catalog.functions:
        kind = "trigger function" if function.trigger else "function"
        for schema, table in tables_inserted(function.body):
            name = f"{function.schema}.{function.name}"
            found.add(table, schema, Writer("function", name, confidence=0.8, evidence=f"{kind} that inserts"))


def _statistics(catalog: Catalog, found: _Found) -> None:
    since = f"since {catalog.stats_reset_at[:10]}" if catalog.stats_reset_at else "since the statistics began"
    for table in catalog.tables:
        if table.inserts:
            confidence = 0.5 if _beyond_a_load(table) else 0.2
            evidence = f"{table.inserts:,} rows inserted {since}"
            writer = Writer("statistics", "inserts", confidence=confidence, evidence=evidence)
            found.add(table.name, table.schema, writer)


def _beyond_a_load(table: Table) -> bool:
    """Whether the inserts are more than a handful."""
    return (table.inserts or 0) >= MANY_INSERTS


def _grants(reader: Reader, catalog: Catalog, found: _Found) -> None:
    with reader.block():
        rows = dict(reader.rows(question("grants")))
    for table in catalog.tables:
        for role in rows.get(table.oid, ()):
            found.add(table.name, table.schema, Writer("role", role, confidence=0.1, evidence="may INSERT"))


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
