"""The writers as a table, JSON, SARIF, or fixes to paste. Nothing here prints."""

from __future__ import annotations

from typing import Any

from vaccine import __version__
from vaccine.text import json_text, one_line
from vaccine.writers.check import fingerprint
from vaccine.writers.fix.fix import fix
from vaccine.writers.model import SourceWriter, SourceWriters, Verdict

LEVEL = {
    Verdict.UPSERT_UNSERVED: "error",
    Verdict.FIND_THEN_INSERT: "error",
    Verdict.BYPASSES: "warning",
    Verdict.PLAIN_INSERT: "warning",
}
MEANING = {
    Verdict.UPSERT_UNSERVED: "The upsert's ON CONFLICT does not fit the index (42P10)",
    Verdict.FIND_THEN_INSERT: "Looks first, inserts then, and does not meet a unique violation",
    Verdict.BYPASSES: "Writes around the function that meets the conflict",
    Verdict.PLAIN_INSERT: "Inserts the key and does not meet a unique violation",
}
STYLE = {"error": "red", "warning": "yellow"}


def table(found: SourceWriters) -> Any:
    """A rich table, one row a writer and key."""
    from rich.markup import escape  # noqa: PLC0415  only for terminals
    from rich.table import Table  # noqa: PLC0415

    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("place", "table", "key", "what", "verdict", "sure", "why"):
        grid.add_column(name, overflow="fold", no_wrap=name == "sure")
    for writer in found.writers:
        style = STYLE.get(LEVEL.get(writer.verdict, ""), "")
        cells = (
            writer.place,
            writer.table.name,
            ", ".join(writer.found_by),
            f"{writer.library} {writer.kind}",
            str(writer.verdict),
            f"{writer.confidence:.2f}",
            "; ".join(writer.reasons),
        )
        grid.add_row(*(escape(one_line(cell)) for cell in cells), style=style)
    return grid


def summary(found: SourceWriters) -> str:
    """One line for the person: what was read, what was left out and why."""
    counts = found.counts
    skipped = ", ".join(f"{number:,} {reason}" for reason, number in counts.skipped)
    left_out = f"; left out: {skipped}" if skipped else ""
    failing = len(found.failing)
    verb = "fails or races" if failing == 1 else "fail or race"
    return (
        f"{len(found.writers):,} writers, {failing:,} of them {verb}; "
        f"{counts.read:,} files, {counts.lines:,} lines read{left_out}"
    )


def fixes(found: SourceWriters) -> str:
    """The code to paste for each writer that fails."""
    return "\n".join(f"{one.place}  {one.verdict}\n{fix(one)}\n" for one in found.failing)


def as_dict(writer: SourceWriter) -> dict[str, Any]:
    """One writer as JSON-able data; additions only."""
    key, look_up, conflict = writer.key, writer.look_up, writer.conflict
    return {
        "file": writer.file,
        "line": writer.line,
        "function": writer.scope,
        "language": writer.language,
        "library": writer.library,
        "rule": writer.rule,
        "kind": str(writer.kind),
        "schema": key.schema if key else writer.table.schema,
        "table": key.table if key else writer.table.name,
        "key": list(writer.found_by),
        "index": key.index if key else None,
        "predicate": key.predicate if key else None,
        "columns_written": [column for column in writer.columns if column != "*"],
        "columns_complete": bool(writer.columns) and "*" not in writer.columns,
        "look_up": {"line": look_up.line, "file": look_up.file or writer.file, "columns": list(look_up.columns)}
        if look_up
        else None,
        "on_conflict": {"columns": list(conflict.columns or ()), "predicate": conflict.predicate} if conflict else None,
        "verdict": str(writer.verdict),
        "fails": writer.verdict.fails,
        "reasons": list(writer.reasons),
        "confidence": writer.confidence,
        "fingerprint": fingerprint(writer),
        "fix": fix(writer) if writer.verdict.fails else None,
    }


def as_json(found: SourceWriters) -> str:
    """All writers and the counts as JSON."""
    document = {
        "vaccine_version": __version__,
        "files_read": found.counts.read,
        "lines_read": found.counts.lines,
        "skipped": dict(found.counts.skipped),
        "writers": [as_dict(writer) for writer in found.writers],
    }
    return json_text(document)


def as_sarif(found: SourceWriters) -> str:
    """The failing writers as a SARIF 2.1.0 log, with file and line."""
    rules = [{"id": str(verdict), "shortDescription": {"text": text}} for verdict, text in MEANING.items()]
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "Vaccine", "version": __version__, "rules": rules}},
                "results": [sarif_result(writer) for writer in found.failing],
            }
        ],
    }
    return json_text(log)


def sarif_result(writer: SourceWriter) -> dict[str, Any]:
    """One failing writer as a SARIF result."""
    key = f" key ({', '.join(writer.found_by)})" if writer.found_by else ""
    text = f"{writer.table.name}{key}: {'; '.join(writer.reasons)}"
    location = {
        "artifactLocation": {"uri": writer.file.replace("\\", "/")},
        "region": {"startLine": writer.line},
    }
    return {
        "ruleId": str(writer.verdict),
        "level": LEVEL[writer.verdict],
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"writer/v1": fingerprint(writer)},
    }
