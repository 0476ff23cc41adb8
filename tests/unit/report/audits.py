"""An audit made by hand, with everything in it that a report tells; its version stands as in the package."""

from datetime import date

from vaccine.audit.finding import Expression, Finding, Lifecycle, Priority, Writer
from vaccine.audit.run import Audit, InvalidIndex
from vaccine.catalog.model import Catalog

HOSTILE = "we|ird <b>[red]`%s`\n\x1b[2J"

DAMAGED = Finding(
    schema="public",
    table="system_issues",
    columns=("violation_hash",),
    predicate="status = 'open' AND violation_hash IS NOT NULL",
    priority=Priority.HIGH,
    score=0.9,
    reasons=("2 live duplicate groups, 2 rows too many; no unique index", "a hash stands for the row"),
    rows=165,
    distinct=148,
    live_duplicate_groups=2,
    live_excess_rows=2,
    writers=(Writer("source", "reconcile", "agent/sync.py:42", ("violation_hash",), "plain_insert", 0.9, "INSERT"),),
    unknowns=("what applications run",),
    lifecycle=Lifecycle(
        "status = 'open'", ("status",), (("status", "resolved"), ("resolved_at", Expression("now()"))),
        ("last_seen_at DESC NULLS LAST",),
        ("an index of a sibling says so", "a row is retired by status = 'resolved', a value that the column has"),
    ),
    details=(
        ("null_rows", 12),
        ("row_columns", ["id", "violation_hash", "note"]),
        ("groups", [{"key": ["44815e74c3d0f846"], "rows": 2, "ids": ["3896", "3994"],
                     "values": [["3896", "44815e74c3d0f846", None], ["3994", "44815e74c3d0f846", HOSTILE]]}]),
    ),
)  # fmt: skip

AUDIT = Audit(
    catalog=Catalog("18.6", 180006, "directus", skipped=(("Directus", 30),)),
    findings=(
        DAMAGED,
        Finding("public", HOSTILE, (HOSTILE, "code"), None, Priority.MEDIUM, 0.7, (HOSTILE,),
                details=(("rows_estimate", 12345),)),
        Finding("crm", "posts", ("slug",), None, Priority.LOW, 0.6, ("no writer known",), 3, 3, 0, 0,
                accepted="one editor"),
        Finding("public", "agents", ("code",), None, Priority.GUARDED, 0.8, ("guarded",), guarded_by=("agents_key",)),
    ),
    statements_run=1234,
    tables_audited=168,
    unknowns=("flows: not readable",),
    invalid_indexes=(InvalidIndex("public", "tasks", "uq_tasks", unique=True, ready=True),),
    expired=((("public", "pages", ("slug",)), date(2001, 2, 3)),),
    needless=(("public", "posts", ("slugg",)),),
)  # fmt: skip
