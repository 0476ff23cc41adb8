"""Source writers as the rest of Vaccine takes them: `vaccine.audit.finding.Writer`."""

from __future__ import annotations

from collections.abc import Iterator

from vaccine.audit.finding import Writer
from vaccine.writers.model import KeySpec, SourceWriter, SourceWriters


def as_evidence(writer: SourceWriter) -> Writer:
    """One source writer as evidence of a finding; `name` is the function or the library."""
    return Writer(
        kind="source",
        name=writer.scope or writer.library,
        place=writer.place,
        columns=writer.found_by,
        verdict=str(writer.verdict),
        confidence=writer.confidence,
        evidence="; ".join(writer.reasons),
    )


def by_table(found: SourceWriters) -> Iterator[tuple[str, Writer]]:
    """(table, writer) of all writers; the table as the code names it, `schema.table` where it says the schema.

    A model class whose table nothing declares is given under each name that it may stand for.
    """
    for writer in found.writers:
        schema = f"{writer.table.schema}." if writer.table.schema else ""
        for name in dict.fromkeys((writer.table.name, *writer.table.aliases)):
            yield schema + name, as_evidence(writer)


def failing_on_the_day(found: SourceWriters, key: KeySpec) -> tuple[Writer, ...]:
    """The writers of a key that will surface an error once its index stands."""
    return tuple(as_evidence(writer) for writer in found.of(key) if writer.verdict.fails)
