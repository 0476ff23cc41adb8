"""Which tables and which candidate keys an audit looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from vaccine.audit.hints.lookups import hints_from_functions, hints_from_statements
from vaccine.audit.hints.statements import Statements
from vaccine.audit.hints.statistics import hints_from_statistics
from vaccine.audit.measure import LARGE_ROWS
from vaccine.audit.settings import AuditSettings
from vaccine.candidates import FLOOR, CandidateKey, KeyHint, candidate_keys
from vaccine.catalog.model import Catalog, Table
from vaccine.catalog.nearest import way_out
from vaccine.errors import UnknownKeyError
from vaccine.predicates import parse, render

CONSIDERED_AT = 0.05  # weaker candidates than this are not even counted
MEANT_SCORE = 0.9  # of a key that somebody began to build a unique index for


def named_table(catalog: Catalog, table: tuple[str, str], columns: Sequence[str]) -> Table:
    """The table, when it exists with those columns.

    Raises:
        UnknownKeyError: it does not.
    """
    found = catalog.by_name.get(table)
    if found is None:
        raise UnknownKeyError(
            f"there is no table {table[0]}.{table[1]}",
            why=f"database {catalog.database} has {len(catalog.tables)} tables, not that one",
            fix=_meant(catalog, table),
        )
    missing = [name for name in columns if name not in found.by_name]
    if missing or not columns:
        raise UnknownKeyError(
            f"table {table[0]}.{table[1]} has no column {', '.join(missing) or '(none was named)'}",
            why="its columns are " + ", ".join(found.by_name),
            fix=way_out(
                missing[0] if missing else "", found.by_name, "name them as the table has them, quoted where needed"
            ),
        )
    return found


def _meant(catalog: Catalog, table: tuple[str, str]) -> str:
    within = [each.name for each in catalog.tables if each.schema == table[0]]
    otherwise = "run vaccine audit --all for the names, and give SCHEMA.TABLE.COLUMN"
    if within:
        return way_out(table[1], within, otherwise)
    return way_out(".".join(table), [f"{each.schema}.{each.name}" for each in catalog.tables], otherwise)


def chosen_tables(catalog: Catalog, settings: AuditSettings) -> Catalog:
    """The catalog without what the settings leave out."""
    unknown = set(settings.schemas) - {table.schema for table in catalog.tables}
    if unknown:
        raise UnknownKeyError(
            f"there is no table in schema {', '.join(sorted(unknown))}",
            why="the schemas with tables are " + ", ".join(sorted({table.schema for table in catalog.tables})),
            fix=way_out(
                min(unknown), {table.schema for table in catalog.tables}, "give one of them; names are compared exactly"
            ),
        )
    kept = [
        table
        for table in catalog.tables
        if (not settings.schemas or table.schema in settings.schemas)
        and not _matches(f"{table.schema}.{table.name}", settings.exclude)
    ]
    left_out = len(catalog.tables) - len(kept)
    skipped = catalog.skipped
    if left_out:
        skipped = (*skipped, ("the settings", left_out))
    return replace(catalog, tables=tuple(kept), skipped=skipped) if left_out else catalog


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def hints(catalog: Catalog, statements: Statements) -> tuple[KeyHint, ...]:
    """What functions and applications look rows up by before they insert, and what statistics find nearly unique."""
    seen = hints_from_statements((*statements.inserts, *statements.lookups), catalog)
    return (*hints_from_functions(catalog.functions, catalog), *seen, *hints_from_statistics(catalog))


def candidates(
    catalog: Catalog, settings: AuditSettings, statements: Statements
) -> dict[tuple[str, str], list[CandidateKey]]:
    """The candidate keys by table: those that score, those a person spoke of, and those an INVALID index was for.

    Where rows are read, weak ones of tables that are not large come along: their rows may speak for them.
    """
    weakest = min(settings.min_score, CONSIDERED_AT) if settings.data else settings.min_score
    by_table: dict[tuple[str, str], list[CandidateKey]] = defaultdict(list)
    floor = FLOOR if settings.overrides else weakest  # what a person spoke of comes along with its own score
    for key in candidate_keys(catalog, hints(catalog, statements), floor):
        spoken_of = (key.schema, key.table, key.columns) in settings.overrides
        names = [f"{key.schema}.{key.table}.{column}" for column in key.columns]
        wanted = spoken_of or key.score >= settings.min_score or (key.score >= weakest and _cheap(catalog, key))
        if wanted and not any(_matches(name, settings.exclude) for name in names):
            by_table[key.schema, key.table].append(key)
    for table in catalog.tables:
        for key in _meant_by_invalid(table):
            spot = (table.schema, table.name)
            others = [other for other in by_table[spot] if set(other.columns) != set(key.columns)]
            by_table[spot] = [*others, key]
    for schema, name, columns in settings.overrides:
        table = named_table(catalog, (schema, name), columns)
        if columns not in {key.columns for key in by_table[schema, name]}:
            key = CandidateKey(schema, name, columns, None, MEANT_SCORE, ("named in the configuration",))
            by_table[table.schema, table.name].append(key)
    return by_table


def _cheap(catalog: Catalog, key: CandidateKey) -> bool:
    rows = catalog.rows_estimate(catalog.by_name[key.schema, key.table])
    return rows is None or rows <= LARGE_ROWS


def _meant_by_invalid(table: Table) -> list[CandidateKey]:
    """The keys that INVALID unique indexes were built for."""
    keys = []
    for index in table.indexes:
        columns = tuple(name for name in index.columns if name is not None)
        if index.unique and not index.valid and len(columns) == len(index.columns):
            live = [c for c in parse(index.predicate) if not (c.kind == "not null" and c.column in columns)]
            reason = f"the INVALID index {index.name} was to guard it"
            keys.append(CandidateKey(table.schema, table.name, columns, render(live), MEANT_SCORE, (reason,)))
    return keys
