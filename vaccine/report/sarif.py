"""The audit as SARIF 2.1.0, for code scanning: one result for each unguarded key and each writer in source code."""

from __future__ import annotations

from typing import Any

from vaccine import __version__
from vaccine.audit.finding import Finding, Priority, Writer
from vaccine.audit.run import Audit, key_text
from vaccine.report import words
from vaccine.text import json_text, one_line

LEVEL = {Priority.HIGH: "error", Priority.MEDIUM: "warning", Priority.DECIDE: "warning", Priority.LOW: "note"}
RULES = {
    "live-duplicates": "Rows that should be one row exist more than once",
    "unguarded-key": "No unique index guards a logical key",
    "invalid-index": "A concurrent index build failed and left an INVALID index",
}


def render(audit: Audit) -> str:
    """The whole audit as a SARIF log."""
    defects = [finding for finding in audit.findings if finding.priority in LEVEL]
    results = [_result(finding) for finding in defects]
    for line, index in zip(words.invalid_lines(audit), audit.invalid_indexes, strict=False):
        place = f"{index.schema}.{index.table}.{index.name}"
        results.append(_plain("invalid-index", "error", line, place))
    rules = [{"id": name, "shortDescription": {"text": text}} for name, text in RULES.items()]
    driver = {"name": "Vaccine", "version": __version__, "rules": rules}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json_text(log)


def _result(finding: Finding) -> dict[str, Any]:
    rule = "live-duplicates" if finding.live_duplicate_groups else "unguarded-key"
    name = key_text(finding.schema, finding.table, finding.columns)
    text = f"{words.key_name(finding)}: {one_line('; '.join(finding.reasons[:2]))}"
    result = _plain(rule, LEVEL[finding.priority], text, name)
    physical = [place for place in map(_physical, finding.writers) if place]
    if physical:
        result["locations"] = [{**result["locations"][0], **physical[0]}, *physical[1:]]
    if finding.accepted:
        result["suppressions"] = [{"kind": "external", "justification": finding.accepted}]
    return result


def _plain(rule: str, level: str, text: str, name: str) -> dict[str, Any]:
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": name, "kind": "member"}]}],
        "partialFingerprints": {"key/v1": f"{rule}:{name}"},
    }


def _physical(writer: Writer) -> dict[str, Any] | None:
    """Where a writer stands in source code; None for one that only the database shows."""
    path, _, line = writer.place.rpartition(":")
    if writer.kind != "source" or not path or not line.isdigit():
        return None
    region = {"startLine": max(1, int(line))}
    return {"physicalLocation": {"artifactLocation": {"uri": path.replace("\\", "/")}, "region": region}}
