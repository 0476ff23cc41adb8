"""`alembic … --sql`: one script that psql runs from end to end to the state that an online run reaches.

A script cannot batch or watch. It resolves all rows in one transaction under a lock that keeps writers of
the table out, builds the index CONCURRENTLY, alone, and lets the transaction that stamps the revision
raise unless the index is there, valid and ready: psql without ON_ERROR_STOP cannot stamp a failure.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from psycopg import sql

from ..checks.carried import CARRIED_ON
from ..checks.restorable import KEYLESS
from ..key import Key, Policy, raw, value
from ..options import Options
from ..rows.journal import LATER, SAME_SHAPE, TABLES
from ..rows.record import RECORD
from ..rows.restore_rows import NOT_SILENCEABLE
from ..session.caller import calling_revision

if TYPE_CHECKING:
    from alembic.operations import Operations

JOURNAL = f"""
BEGIN
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

# The session's own search_path first, then the table's schema: as an online run has it. The file is in UTF-8.
ENTER = """SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('vaccine.search_path', pg_catalog.current_setting('search_path'), false),
       pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
           nullif(pg_catalog.current_setting('search_path'), ''), pg_catalog.quote_ident({schema}), 'pg_temp'), false),
       pg_catalog.set_config('row_security', 'off', false);
"""
LEAVE = """SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('vaccine.search_path'), false);
RESET row_security;
"""


def resolve_duplicates(operations: Operations, key: Key, policy: Policy, options: Options) -> None:
    """Print the script that resolves all excess rows in one transaction."""
    assign = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), value(to)) for name, to in policy.assign.items()
    )
    keep = ", ".join(text(sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, row)))) for row in policy.keep)
    body = _file("resolve.sql").replace(
        "{same_shape}",
        _into(SAME_SHAPE, "i.images", "v_images")
        % {"schema": "v_schema", "table": "v_table", "primary_key": "v_pk", "oid": "v_oid"}
        + ";",
    )
    body = body.replace("{carried_on}", CARRIED_ON.strip().format(table="v_oid", columns="v_assigned"))
    declared = {
        **_key(key),
        "v_revision text": calling_revision(),
        "v_plan text": policy.plan,
        "v_live_sql text": text(key.live),
        "v_key_list text": text(key.column_list),
        "v_survivor text": ", ".join(f"{term}\n" for term in policy.survivor),
        "v_assign text": text(assign),
        "v_assigned text[]": list(policy.assign),
        "v_keep text": keep,
        "v_max_rows bigint": None if options.drift == "accept" else policy.max_rows,
    }
    _script(
        operations,
        key,
        ["BEGIN;", _do({}, JOURNAL), _do(declared, body), "COMMIT;"],
        f"resolve the duplicates of {key}; writers of the table wait while this transaction runs",
    )


def restore_duplicates(operations: Operations, key: Key, plan: str, options: Options) -> None:
    """Print the script that restores all rows that are still as they were left, in one transaction."""
    body = _file("restore.sql").replace(
        "{not_silenceable}", NOT_SILENCEABLE.strip() % {"table": "v_oid", "columns": "v_changed"}
    )
    body = body.replace("{carried_on}", CARRIED_ON.strip().format(table="v_oid", columns="v_job.shared_columns"))
    body = body.replace("{later}", LATER.strip())
    body = body.replace("{keyless}", KEYLESS.strip() % {"table": "v_oid", "images": "v_job.images"})
    declared = {**_key(key), "v_plan text": plan, "v_strict boolean": options.restore == "strict"}
    _script(
        operations,
        key,
        ["BEGIN;", _do(declared, body), "COMMIT;"],
        f"restore the rows of {key}; writers of the table wait while this transaction runs",
    )


def create_unique_index(operations: Operations, name: str, key: Key) -> None:
    """Print the build, alone in autocommit, and the check that guards the stamp."""
    from ..index.build import index_statement  # noqa: PLC0415  the largest part, and only for an index

    words = {**_key(key), "v_name text": name}
    columns = {"v_columns text[]": list(key.columns)}
    build = text(index_statement(name, key)).rstrip().rstrip(";")
    build = build.replace("INDEX CONCURRENTLY ", "INDEX CONCURRENTLY IF NOT EXISTS ", 1)
    _script(operations, key, [_do(words, _file("check_name.sql")), f"{build}\n;"], f"build {name}; writers go on")
    operations.migration_context.impl.static_output(_do({**words, **columns}, _file("check_index.sql")))


def drop_unique_index(operations: Operations, name: str, key: Key) -> None:
    """Print the drop, alone in autocommit, and the check that guards the stamp."""
    drop = text(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {};").format(sql.Identifier(key.schema, name)))
    _script(operations, key, [drop], f"drop {name}; writers go on")
    operations.migration_context.impl.static_output(_do({**_key(key), "v_name text": name}, _file("check_dropped.sql")))


def text(of: sql.Composable) -> str:
    """SQL as text, without a connection."""
    return of.as_string(None)


def _script(operations: Operations, key: Key, statements: list[str], title: str) -> None:
    context = operations.migration_context
    comment = " ".join(title.split())
    with context.autocommit_block():
        context.impl.static_output(f"-- Vaccine: {comment}")
        context.impl.static_output(ENTER.replace("{schema}", text(sql.Literal(key.schema))))
        for statement in statements:
            context.impl.static_output(statement)
        context.impl.static_output(LEAVE)


def _key(key: Key) -> dict[str, object]:
    return {
        "v_schema text": key.schema,
        "v_table text": key.table,
        "v_key_columns text[]": list(key.columns),
        "v_where text": key.where,
    }


def _do(declared: dict[str, object], body: str) -> str:
    """A DO block: constants from the revision, then a body that is the same for every revision."""
    constants = "".join(
        text(sql.SQL("    {} := {};\n").format(raw(name.replace(" ", " CONSTANT ", 1)), sql.Literal(constant)))
        for name, constant in declared.items()
    )
    code = f"DECLARE\n{constants}{body.strip()}\n"
    tag = "$vaccine$"
    while tag in code:
        tag = tag[:-1] + "_$"
    return f"DO {tag}\n{code}{tag};"


def _into(query: str, column: str, variable: str) -> str:
    return query.strip().replace(f"SELECT {column}", f"SELECT {column} INTO {variable}", 1)


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
