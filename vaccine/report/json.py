"""The audit as JSON: a contract, to which fields are only added. Units stand in the names."""

from __future__ import annotations

from typing import Any

from vaccine import __version__
from vaccine.audit.finding import Expression, Finding, Lifecycle, Writer
from vaccine.audit.run import Audit
from vaccine.text import json_text


def render(audit: Audit) -> str:
    """The whole audit as one JSON object."""
    catalog = audit.catalog
    return json_text(
        {
            "vaccine_version": __version__,
            "server_version": catalog.server_version,
            "database": catalog.database,
            "in_recovery": catalog.in_recovery,
            "statements_run": audit.statements_run,
            "statements_that_wrote": 0,
            "tables_audited": audit.tables_audited,
            "tables_left_out": [{"why": why, "tables": tables} for why, tables in catalog.skipped],
            "unknowns": list(audit.unknowns),
            "acceptances_expired": [
                {"schema": schema, "table": table, "columns": list(columns), "until": until.isoformat()}
                for (schema, table, columns), until in audit.expired
            ],
            "acceptances_unused": [
                {"schema": schema, "table": table, "columns": list(columns)}
                for schema, table, columns in audit.needless
            ],
            "invalid_indexes": [
                {
                    "schema": index.schema,
                    "table": index.table,
                    "name": index.name,
                    "unique": index.unique,
                    "enforces": index.unique and index.ready and not index.partitioned,
                    "partitioned": index.partitioned,
                }
                for index in audit.invalid_indexes
            ],
            "findings": [finding_object(finding) for finding in audit.findings],
        },
    )


def finding_object(finding: Finding) -> dict[str, Any]:
    """One finding as the contract has it."""
    return {
        "schema": finding.schema,
        "table": finding.table,
        "columns": list(finding.columns),
        "predicate": finding.predicate,
        "priority": finding.priority.value,
        "score": finding.score,
        "reasons": list(finding.reasons),
        "rows": finding.rows,
        "distinct": finding.distinct,
        "live_duplicate_groups": finding.live_duplicate_groups,
        "live_excess_rows": finding.live_excess_rows,
        "guarded_by": list(finding.guarded_by),
        "writers": [_writer(writer) for writer in finding.writers],
        "unknowns": list(finding.unknowns),
        "siblings": list(finding.siblings),
        "lifecycle": _lifecycle(finding.lifecycle),
        "accepted": finding.accepted,
        "details": dict(finding.details),
    }


def _writer(writer: Writer) -> dict[str, Any]:
    return {
        "kind": writer.kind,
        "name": writer.name,
        "place": writer.place,
        "columns": list(writer.columns),
        "verdict": writer.verdict,
        "confidence": writer.confidence,
        "evidence": writer.evidence,
    }


def _lifecycle(lifecycle: Lifecycle | None) -> dict[str, Any] | None:
    if lifecycle is None:
        return None
    return {
        "predicate": lifecycle.predicate,
        "columns": list(lifecycle.columns),
        "assign": {
            name: {"sql": value.sql} if isinstance(value, Expression) else value for name, value in lifecycle.assign
        },
        "survivor": list(lifecycle.survivor),
        "reasons": list(lifecycle.reasons),
        "questions": [
            {"about": each.about, "text": each.text, "options": list(each.options)} for each in lifecycle.questions
        ],
    }
