"""The steps of a script: settings, a transaction that refuses where an earlier one failed, bounded tries for locks.

psql goes on behind an error unless ON_ERROR_STOP is set, and CREATE and DROP INDEX CONCURRENTLY stand alone, where no
block can guard them. So the session is read-only by default while a step is under way, and a step's last act, in its
own transaction, is to lift that: behind a step that failed neither index nor stamp can be written.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from psycopg import sql

from ..index.gate import Gate
from ..key import Key, raw
from ..options import Options
from ..session.blockers import HOLDERS
from ..session.mutex import lock_numbers

TAG = "$vaccine$"
IDLE = "5s"  # a client that hangs between two statements holds its locks no longer
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
DONE = "SET default_transaction_read_only = off;"
HOLD = """DO $vaccine$ BEGIN
    PERFORM pg_catalog.set_config('vaccine.session', pg_catalog.pg_backend_pid()::text, false);
    PERFORM pg_catalog.set_config('vaccine.stopped',
        pg_catalog.current_setting('default_transaction_read_only'), false);
    PERFORM pg_catalog.set_config('default_transaction_read_only', 'on', false);
END $vaccine$;"""

# The session's own search_path first, then the table's schema: as an online run has it. The file is in UTF-8.
# Settings of later servers are left out where there are none.
ENTER = """SET client_encoding = 'UTF8';
DO $vaccine$ BEGIN
    PERFORM pg_catalog.set_config('vaccine.' || s.name, pg_catalog.current_setting(s.name), false)
       FROM pg_catalog.pg_settings AS s
      WHERE s.name IN ('search_path', 'row_security', 'datestyle', 'lock_timeout', 'statement_timeout',
                       'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
                       'client_connection_check_interval');
    PERFORM pg_catalog.set_config(s.name, v.setting, false)
       FROM (VALUES ('datestyle', 'ISO'), ('transaction_timeout', '0'), ('idle_session_timeout', '0'),
                    ('client_connection_check_interval', '1s')) AS v (name, setting)
       JOIN pg_catalog.pg_settings AS s USING (name);
    PERFORM pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
        nullif(pg_catalog.current_setting('search_path'), ''), pg_catalog.quote_ident({schema}), 'pg_temp'), false);
END $vaccine$;
SET row_security = off;
"""
TIMEOUTS = """SET lock_timeout = {lock};
SET statement_timeout = {statement};
SET idle_in_transaction_session_timeout = {idle};"""
LEAVE = """DO $vaccine$ BEGIN
    PERFORM pg_catalog.pg_advisory_unlock({first}, {second}) FROM pg_catalog.pg_locks AS l
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.pid = pg_catalog.pg_backend_pid()
        AND l.classid::int8 = {first} & 4294967295 AND l.objid::int8 = {second} & 4294967295;
    PERFORM pg_catalog.set_config(s.name, pg_catalog.current_setting('vaccine.' || s.name), false)
       FROM pg_catalog.pg_settings AS s
      WHERE pg_catalog.current_setting('vaccine.' || s.name, true) IS NOT NULL;
END $vaccine$;
"""


def script(key: Key, options: Options, statements: Sequence[str]) -> list[str]:
    """The statements of one operation, between the settings that they need and those that the session had."""
    first, second = map(sql.Literal, lock_numbers(key))
    return [
        tagged(ENTER.replace("{schema}", text(sql.Literal(key.schema)))),
        timeouts(options),
        HOLD,
        *statements,
        text(sql.SQL(LEAVE).format(first=first, second=second)),
    ]


def transaction(key: Key, statements: Sequence[str]) -> list[str]:
    """One step: all of the statements or none, and nothing where an earlier step failed or another run is at work."""
    first, second = lock_numbers(key)
    declared = {"v_first integer": first, "v_second integer": second, "v_gates text[]": list(Gate.of(key).triggers)}
    ready = do({**of_key(key), **declared}, sql_file("ready.sql"))
    return [BEGIN, ready, *statements, DONE, "COMMIT;"]


def alone(options: Options, *statements: str) -> list[str]:
    """Statements that take no transaction. A lock_timeout would end their waits too, and leave an INVALID index."""
    limit = f"{options.build_s + options.wait_s}s" if options.build_s else "0"
    return [timeouts(options, "0", limit), *statements, timeouts(options), HOLD]


def timeouts(options: Options, lock: str | None = None, statement: str | None = None) -> str:
    """The bounds of what follows; writers of the table wait for a step no longer than its statement_timeout."""
    return text(
        sql.SQL(TIMEOUTS).format(
            lock=sql.Literal(lock or f"{max(1, options.lock_timeout_ms)}ms"),
            statement=sql.Literal(statement or f"{max(1, options.wait_s)}s"),
            idle=sql.Literal(IDLE),
        )
    )


def tried(key: Key, options: Options, declared: dict[str, object], body: str) -> str:
    """A DO block that is tried again, all of it, when a lock was not to be had: as often as an online run would."""
    declared = {**of_key(key), "v_tries integer": max(1, options.lock_tries), **declared}
    holders = HOLDERS.strip() % {"table": "pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_table))"}
    return do(declared, sql_file("tried.sql").replace("{holders}", holders).replace("{body}", body.rstrip()))


def do(declared: dict[str, object], body: str) -> str:
    """A DO block: constants from the revision, then a body that is the same for every revision."""
    constants = "".join(
        text(sql.SQL("    {} := {};\n").format(raw(name.replace(" ", " CONSTANT ", 1)), sql.Literal(constant)))
        for name, constant in declared.items()
    )
    code = f"DECLARE\n{constants}{body.rstrip()}\n"
    tag = _tag(code)
    return f"DO {tag}\n{code}{tag};"


def tagged(block: str) -> str:
    """A DO block of ours with a tag that nothing in it looks like: a name may be `$vaccine$`."""
    before, code, after = (
        block.split(f"{TAG} ", 1)[0],
        block.split(TAG, 1)[1].rpartition(TAG)[0],
        block.rpartition(TAG)[2],
    )
    tag = _tag(code)
    return f"{before}{tag}{code}{tag}{after}"


def _tag(code: str) -> str:
    tag = TAG
    while tag in code:
        tag = tag[:-1] + "_$"
    return tag


def of_key(key: Key) -> dict[str, object]:
    """The key as constants of a DO block."""
    return {
        "v_schema text": key.schema,
        "v_table text": key.table,
        "v_key_columns text[]": list(key.columns),
        "v_where text": key.where,
    }


def text(of: sql.Composable) -> str:
    """SQL as text, without a connection."""
    return of.as_string(None)


def sql_file(name: str) -> str:
    """A file of this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
