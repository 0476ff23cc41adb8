"""What the blocks of a script are filled with: the queries and statements that an online run sends, as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from psycopg import sql

from ..checks.carried import CARRIED_ON
from ..checks.embed import script_block
from ..checks.every import CODES
from ..checks.model import Check, Question, Stage
from ..checks.ownership import Ownership
from ..checks.restorable import KEYLESS, LOST
from ..index.states import MEANING, OF_INDEX, empty_copy_statement, index_statement, wanted, wanted_oid
from ..key import Key, Policy, literals
from ..options import Options
from ..rows.find import TEXT_FORM, assignments, other_rows_statement
from ..rows.journal import LATER, RESOLVED, SAME_SHAPE, TABLES
from ..rows.record import RECORD, UpgradeRecord, key_digest
from ..rows.restore_rows import NOT_SILENCEABLE
from .step import sql_file, text, tried

PLACE = re.compile(r"\{([a-z_]+)\}")

# One of an earlier build lacks them.
COMPLETE = f"""
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute
                    WHERE attrelid = 'vaccine.journal'::pg_catalog.regclass AND attname = 'shared_columns') THEN
        {LATER.strip()};
    END IF;
    IF pg_catalog.to_regclass('vaccine.vaccination') IS NULL THEN
        {RECORD}
        REVOKE ALL ON vaccine.vaccination FROM PUBLIC;
    END IF;"""  # noqa: S608  of texts of our own

JOURNAL = f"""BEGIN
    IF pg_catalog.to_regclass('vaccine.journal') IS NULL THEN
        IF pg_catalog.to_regnamespace('vaccine') IS NULL THEN
            CREATE SCHEMA vaccine;
        END IF;
        REVOKE ALL ON SCHEMA vaccine FROM PUBLIC;
        {TABLES}
        REVOKE ALL ON ALL TABLES IN SCHEMA vaccine FROM PUBLIC;
    END IF;{COMPLETE}
END
"""

# Nothing was recorded where there is no record.
UNDO = """BEGIN
    IF pg_catalog.to_regclass('vaccine.vaccination') IS NOT NULL THEN
        {undo};
    END IF;
END
"""

BACKUP = (
    "bring the schema vaccine back from a backup (pg_restore --schema=vaccine), then run this script again in a new "
    "session; or make it with `alembic -x vaccine.restore=lost downgrade ... --sql`: it restores what is still there"
)
VIEW = sql.Identifier("pg_temp", "vaccine_texts")  # of the work table (`others.sql`)


def preflight(
    question: Question, what: str, *stages: Stage, only: Sequence[str] = CODES, also: Sequence[Check] = ()
) -> str:
    """The block that refuses, all reasons at once, before anything changes."""
    body = script_block(question, what, *stages, only=only, also=also).strip().removesuffix(";")
    return tried(question.key, question.options, {}, body)


def whose(key: Key, options: Options, of: Ownership, *, up: bool) -> str:
    """The block that sees whose the vaccination is."""
    queries = of.before_upgrade() if up else of.before_downgrade()
    asked = "\n        UNION ALL\n".join(f"({text(query).strip()})" for query in queries)
    refused = f"vaccine: the {'upgrade' if up else 'downgrade'} of {key} is refused; nothing was changed"
    body = _filled("whose.sql", adopt=text(of.adopt()), stamp=text(of.before_stamp()), queries=asked)
    return tried(key, options, {"v_refused text": refused}, body)


def journal(key: Key, options: Options) -> str:
    """The block that makes the journal where it is missing."""
    return tried(key, options, {}, JOURNAL)


def resolve(key: Key, policy: Policy, options: Options, record: UpgradeRecord) -> str:
    """The block that resolves all excess rows."""
    words = {"schema": "v_schema", "table": "v_table", "primary_key": "v_pk", "oid": "v_oid"}
    rows = script_block(Question(key, policy, None, options), refused(key), Stage.ROWS)
    body = _filled(
        "resolve.sql",
        same_shape=_into(SAME_SHAPE, "i.images", "v_images") % words,
        before=_into(RESOLVED, "coalesce(sum(row_count), 0)", "v_before")
        % ("v_plan", "v_schema", "v_table", "v_key_columns", "v_where"),
        others=_others(policy),
        rows=rows,
        count=text(record.count(sql.SQL("v_found"))),
    )
    keep = [text(sql.SQL("({})").format(literals(row))) for row in policy.keep]
    declared: dict[str, object] = {
        "v_revision text": record.revision,
        "v_plan text": policy.plan,
        "v_live_sql text": text(key.live),
        "v_key_list text": text(key.column_list),
        "v_survivor text": ", ".join(f"{term}\n" for term in policy.survivor),
        "v_assign text": text(assignments(policy)),
        "v_keep text": ", ".join(keep) or None,
        "v_keeps bigint": len(keep),
        "v_max_rows bigint": policy.max_rows,
        "v_named boolean": bool(policy.rows),
        "v_accept boolean": options.drift == "accept",
    }
    return tried(key, options, declared, body)


def way_back(record: UpgradeRecord, options: Options, *, dry: bool, plan: str | None = None) -> str:
    """The block that restores all rows that are still as they were left; `dry` only looks whether it could.

    Of one plan, or of all that the record's revision has.
    """
    body = _filled(
        "restore.sql",
        complete=COMPLETE,
        records=text(records(record, plan)),
        lost=LOST.strip() % {"table": "v_oid", "images": "v_job.images"},
        keyless=KEYLESS.strip() % {"table": "v_oid", "images": "v_job.images"},
        carried_on=CARRIED_ON.strip().format(table="v_oid", columns="v_job.shared_columns"),
        not_silenceable=NOT_SILENCEABLE.strip() % {"table": "v_oid", "columns": "v_changed"},
    )
    declared: dict[str, object] = {
        "v_revision text": record.revision,
        "v_plan text": plan,
        "v_restore text": options.restore,
        "v_dry boolean": dry,
        "v_backup text": BACKUP,
    }
    return tried(record.key, options, declared, body)


def records(record: UpgradeRecord, plan: str | None) -> sql.Composed:
    """The records of a plan, or those of the revision under its version table."""
    of_revision = sql.SQL("v.version_table = {} AND v.revision = {}").format(
        record.version_table, sql.Literal(record.revision)
    )
    of_plan = sql.SQL("v.plan = {}").format(sql.Literal(plan))
    return sql.SQL(
        "SELECT v.plan, v.after_batch, v.resolved_rows, v.undone_at, v.index_oid FROM vaccine.vaccination AS v"
        " WHERE v.key_digest = {} AND {} ORDER BY v.started_at"
    ).format(sql.Literal(key_digest(record.key)), of_revision if plan is None else of_plan)


def undo(key: Key, options: Options, record: UpgradeRecord) -> str:
    """The block that closes the record."""
    return tried(key, options, {}, UNDO.replace("{undo}", text(record.undo())))


def index_check(record: UpgradeRecord, name: str, options: Options, file: str, **declared: object) -> str:
    """A block that looks at what stands under the index's name."""
    key = record.key
    copy, own = empty_copy_statement(key)
    found = sql.Literal(text(sql.Identifier(key.schema, name)))
    state = sql.SQL(
        "SELECT CASE WHEN x.indrelid <> pg_catalog.to_regclass({table}) OR ROW({meaning})::text IS DISTINCT FROM"
        " (SELECT ROW({meaning})::text{wanted}) THEN 'other'"
        " WHEN x.indisvalid AND x.indisready AND x.indislive THEN 'valid' ELSE 'invalid' END{found}"
    ).format(
        table=sql.Literal(text(key.relation)),
        meaning=sql.SQL(MEANING),
        wanted=sql.SQL(OF_INDEX).format(index=wanted_oid(key)),
        found=sql.SQL(OF_INDEX).format(index=sql.SQL("pg_catalog.to_regclass({})").format(found)),
    )
    statements = {
        "copy": copy,
        "wanted": index_statement(wanted(key), own, concurrently=False),
        "state": state,
        "drop": sql.SQL("DROP TABLE {}").format(own.relation),
    }
    look = _filled(
        "index_state.sql", **{what: text(sql.Literal(text(statement))) for what, statement in statements.items()}
    )
    constants = {"v_name text": name, **{f"v_{each} text": value for each, value in declared.items()}}
    return tried(key, options, constants, _filled(file, look=look, records=text(records(record, None))))


def _others(policy: Policy) -> str:
    """What sets v_drift when rows were found that no plan approved."""
    if policy.rows is None:
        return "NULL;"
    excess, survivor, number = map(sql.Identifier, ("excess", "survivor", "vaccine_n"))
    others = other_rows_statement(policy.rows, VIEW, excess, survivor, number)
    return _filled("others.sql", text_form=";\n            ".join(TEXT_FORM), statement=text(others))


def refused(key: Key) -> str:
    """What an online run says too."""
    return f"the vaccination of {key} is refused; nothing was changed"


def _filled(file: str, **parts: str) -> str:
    """A file of this folder, with what stands in its braces. In one pass: a part may hold braces of its own."""
    return PLACE.sub(lambda found: parts[found[1]].strip(), sql_file(file))


def _into(query: str, column: str, variable: str) -> str:
    return query.strip().replace(f"SELECT {column}", f"SELECT {column} INTO {variable}", 1)
