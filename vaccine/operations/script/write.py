"""`alembic … --sql`: one script that psql runs from end to end to the state that an online run reaches.

A script cannot batch or watch. It resolves all rows in one transaction under a lock that keeps writers of
the table out, and builds the index CONCURRENTLY, alone. Each step refuses where the one before it failed, so that
psql without ON_ERROR_STOP neither builds nor drops an index behind a refusal, and cannot stamp a failure (`step`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from psycopg import sql

from ..checks.carried import CARRIED_ON
from ..checks.ownership import ownership_of
from ..checks.restorable import KEYLESS
from ..index.states import MEANING, OF_INDEX, empty_copy_statement, index_statement, wanted, wanted_oid
from ..key import Key, Policy, literals
from ..options import Options
from ..rows.find import assignments
from ..rows.journal import LATER, SAME_SHAPE, TABLES
from ..rows.record import RECORD, UpgradeRecord
from ..rows.restore_rows import NOT_SILENCEABLE
from ..session.caller import calling_revision, version_table
from .step import alone, do, of_key, script, sql_file, text, transaction, tried

if TYPE_CHECKING:
    from alembic.operations import Operations

JOURNAL = f"""BEGIN
    IF pg_catalog.to_regclass('vaccine.journal') IS NULL THEN
        IF pg_catalog.to_regnamespace('vaccine') IS NULL THEN
            CREATE SCHEMA vaccine;
        END IF;
        REVOKE ALL ON SCHEMA vaccine FROM PUBLIC;
        {TABLES}
        REVOKE ALL ON ALL TABLES IN SCHEMA vaccine FROM PUBLIC;
    ELSIF pg_catalog.to_regclass('vaccine.vaccination') IS NULL THEN
        {RECORD}
        REVOKE ALL ON vaccine.vaccination FROM PUBLIC;
    END IF;
END
"""

# Nothing was recorded where there is no record.
UNDO = """BEGIN
    IF pg_catalog.to_regclass('vaccine.vaccination') IS NOT NULL THEN
        {undo};
    END IF;
END
"""


def resolve_duplicates(operations: Operations, key: Key, policy: Policy, options: Options, index: str | None) -> None:
    """Print the script that resolves all excess rows in one transaction."""
    keep = ", ".join(text(sql.SQL("({})").format(literals(row))) for row in policy.keep)
    body = sql_file("resolve.sql").replace(
        "{same_shape}",
        _into(SAME_SHAPE, "i.images", "v_images")
        % {"schema": "v_schema", "table": "v_table", "primary_key": "v_pk", "oid": "v_oid"}
        + ";",
    )
    body = body.replace("{carried_on}", CARRIED_ON.strip().format(table="v_oid", columns="v_assigned"))
    record = _record(operations, key, policy.plan)
    body = body.replace("{count}", text(record.count(sql.SQL("v_found"))))
    accept = options.drift == "accept"
    declared: dict[str, object] = {
        "v_revision text": calling_revision(),
        "v_plan text": policy.plan,
        "v_live_sql text": text(key.live),
        "v_key_list text": text(key.column_list),
        "v_survivor text": ", ".join(f"{term}\n" for term in policy.survivor),
        "v_assign text": text(assignments(policy)),
        "v_assigned text[]": list(policy.assign),
        "v_keep text": keep or None,
        "v_max_rows bigint": None if accept else policy.max_rows,
    }
    before = [_index_check(key, index, options, "index_before.sql", aside=None)] if index is not None else []
    work = [
        _whose(operations, key, options, up=True),
        *before,
        tried(key, options, {}, JOURNAL),
        f"{text(record.begin(index))};",
        tried(key, options, declared, body),
    ]
    _print(
        operations,
        script(key, options, transaction(key, work)),
        f"resolve the duplicates of {key}; writers of the table wait while this transaction runs",
    )


def restore_duplicates(operations: Operations, key: Key, plan: str, options: Options) -> None:
    """Print the script that restores all rows that are still as they were left, in one transaction."""
    body = sql_file("restore.sql").replace(
        "{not_silenceable}", NOT_SILENCEABLE.strip() % {"table": "v_oid", "columns": "v_changed"}
    )
    body = body.replace("{carried_on}", CARRIED_ON.strip().format(table="v_oid", columns="v_job.shared_columns"))
    body = body.replace("{later}", LATER.strip())
    body = body.replace("{keyless}", KEYLESS.strip() % {"table": "v_oid", "images": "v_job.images"})
    declared: dict[str, object] = {"v_plan text": plan, "v_strict boolean": options.restore == "strict"}
    undo = UNDO.replace("{undo}", text(_record(operations, key, plan).undo()))
    whose = _whose(operations, key, options, up=False)
    work = [whose, tried(key, options, declared, body), tried(key, options, {}, undo)]
    _print(
        operations,
        script(key, options, transaction(key, work)),
        f"restore the rows of {key}; writers of the table wait while this transaction runs",
    )


def create_unique_index(operations: Operations, name: str, key: Key, plan: str, options: Options) -> None:
    """Print the build, alone in autocommit, and the check without which nothing is stamped."""
    build = text(index_statement(name, key)).rstrip().rstrip(";")
    build = build.replace("INDEX CONCURRENTLY ", "INDEX CONCURRENTLY IF NOT EXISTS ", 1)
    record = _record(operations, key, plan)
    aside = f"vaccine_leftover_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    statements = [
        *transaction(
            key,
            [
                _whose(operations, key, options, up=True),
                _index_check(key, name, options, "index_before.sql", aside=aside),
                tried(key, options, {}, JOURNAL),
                f"{text(record.begin(name))};",
            ],
        ),
        *alone(options, _drop(key, aside), f"{build}\n;"),
        *transaction(key, [_index_check(key, name, options, "index_after.sql"), f"{text(record.end())};"]),
    ]
    _print(operations, script(key, options, statements), f"build {name}; writers go on")


def drop_unique_index(operations: Operations, name: str, key: Key, options: Options) -> None:
    """Print the drop, alone in autocommit, and the check without which nothing is stamped."""
    statements = [
        *transaction(key, [_whose(operations, key, options, up=False)]),
        *alone(options, _drop(key, name)),
        *transaction(key, [do({**of_key(key), "v_name text": name}, sql_file("dropped.sql"))]),
    ]
    _print(operations, script(key, options, statements), f"drop {name}; writers go on")


def _whose(operations: Operations, key: Key, options: Options, *, up: bool) -> str:
    """A DO block that sees whose the vaccination is."""
    context = operations.migration_context
    of = ownership_of(context, version_table(context.version_table_schema, context.version_table), key)
    queries = of.before_upgrade() if up else of.before_downgrade()
    refused = f"vaccine: the {'upgrade' if up else 'downgrade'} of {key} is refused; nothing was changed"
    body = sql_file("whose.sql").replace("{adopt}", text(of.adopt()).strip())
    body = body.replace("{stamp}", text(of.before_stamp()).strip())
    body = body.replace("{queries}", "\n        UNION ALL\n".join(f"({text(query).strip()})" for query in queries))
    return tried(key, options, {"v_refused text": refused}, body)


def _record(operations: Operations, key: Key, plan: str) -> UpgradeRecord:
    context = operations.migration_context
    table = version_table(context.version_table_schema, context.version_table)
    return UpgradeRecord(table, calling_revision(), plan, key)


def _index_check(key: Key, name: str, options: Options, file: str, **declared: object) -> str:
    """A DO block that looks at what stands under the index's name."""
    copy, own = empty_copy_statement(key)
    found = sql.SQL(OF_INDEX).format(
        index=sql.SQL("pg_catalog.to_regclass({})").format(sql.Literal(text(sql.Identifier(key.schema, name))))
    )
    state = sql.SQL(
        "SELECT CASE WHEN x.indrelid <> pg_catalog.to_regclass({table}) OR ROW({meaning})::text IS DISTINCT FROM"
        " (SELECT ROW({meaning})::text{wanted}) THEN 'other'"
        " WHEN x.indisvalid AND x.indisready AND x.indislive THEN 'valid' ELSE 'invalid' END{found}"
    ).format(
        table=sql.Literal(text(key.relation)),
        meaning=sql.SQL(MEANING),
        wanted=sql.SQL(OF_INDEX).format(index=wanted_oid(key)),
        found=found,
    )
    statements = {
        "copy": copy,
        "wanted": index_statement(wanted(key), own, concurrently=False),
        "state": state,
        "drop": sql.SQL("DROP TABLE {}").format(own.relation),
    }
    look = sql_file("index_state.sql").rstrip()
    for what, statement in statements.items():
        look = look.replace(f"{{{what}}}", text(sql.Literal(text(statement))))
    constants: dict[str, object] = {"v_name text": name}
    constants.update({f"v_{each} text": value for each, value in declared.items()})
    return tried(key, options, constants, sql_file(file).replace("{state}", look))


def _drop(key: Key, name: str) -> str:
    return text(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {};").format(sql.Identifier(key.schema, name)))


def _print(operations: Operations, statements: list[str], title: str) -> None:
    context = operations.migration_context
    comment = " ".join(title.split())
    with context.autocommit_block():
        context.impl.static_output(f"-- Vaccine: {comment}")
        for statement in statements:
            context.impl.static_output(statement)


def _into(query: str, column: str, variable: str) -> str:
    return query.strip().replace(f"SELECT {column}", f"SELECT {column} INTO {variable}", 1)
