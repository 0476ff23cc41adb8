"""All that could stop a run, looked at before anything changes; every reason goes into one message."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg import sql

from ..errors import DriftedError, PreflightError, RestoreError
from ..index.states import index_state, try_out
from ..key import Key, Policy, raw, value
from ..rows.find import Work, find, kept, live_key
from ..rows.journal import already_resolved, complete_journal, has_journal
from ..rows.pace import hidden_replicas
from ..rows.resolve import not_approved
from ..rows.restore import restorers
from ..session.blockers import Blocker, holders_of, named, who_would_block
from ..session.retry import with_lock_retries
from ..session.run import Run
from ..table import MOST_COLUMNS, PARTITIONED, TargetTable, read_table
from . import carried
from .disk import read_need, read_space
from .restorable import refuse_lost_columns, refuse_pruned, refuse_unsettable
from .rights import missing_on_journal, missing_rights

ORDINARY = "r"
REFUSED = "the vaccination of {} is refused; nothing was changed"
INDEX_REFUSED = (
    "the unique index on {} is refused; this step changed nothing, and rows that were resolved before it are journalled"
)
DROP_REFUSED = "the downgrade of {} is refused; nothing was changed"
WIDE_BYTES = 2600  # a btree entry holds 2704 bytes, its header included (manual, section 64.1)

SERVER = """
SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only')::boolean,
       pg_catalog.current_setting('server_version_num')::integer
"""

UNRESTORED_PLANS = """
SELECT DISTINCT plan
  FROM vaccine.journal
 WHERE schema_name = %s AND table_name = %s AND key_columns = %s AND predicate IS NOT DISTINCT FROM %s
   AND revision = %s AND outcome <> 'restored'
 ORDER BY plan
"""

# A row of more than a quarter of a page is compressed and then moved into the TOAST table (manual, section 66.2), and a
# btree entry may take a third of a page: where nothing was ever moved out, every key fits, and no row is looked at.
WIDE_TYPES = """
SELECT a.attname::text
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
 WHERE a.attrelid = %s AND a.attname = ANY (%s) AND NOT a.attisdropped AND t.typlen = -1
   AND (a.atttypmod < 0 OR a.atttypmod > 600) AND t.typcategory IN ('S', 'U', 'A', 'D')
   AND pg_catalog.format_type(t.oid, NULL) NOT IN ('numeric')
   AND NOT (a.attstorage IN ('x', 'e') AND c.reltoastrelid <> 0 AND pg_catalog.pg_relation_size(c.reltoastrelid) = 0
            AND NOT EXISTS (SELECT FROM pg_catalog.unnest(c.reloptions) AS o (text)
                             WHERE o.text LIKE 'toast_tuple_target=%%'))
"""


def before_resolve(run: Run, key: Key, policy: Policy, index: str | None) -> tuple[TargetTable, Work]:
    """What must hold before a dedupe. Returns the table and the excess rows, found once for all.

    Raises:
        DriftedError: there are other rows to resolve than approved, or a row kept by hand is gone.
        PreflightError: any other reason.
    """
    table = _readable(run, key)
    reasons = [*_shape(run, table, key, policy), *_rights(run, table, key), *_space(run)]
    if index is not None:
        reasons += [*_index(run, index, table, key), *_held_for_ever(run, who_would_block(run.worker, key))]
    if reasons:
        raise refusal(key, reasons)
    reasons += _width(run, table, key)
    both, drift = _kept_rows(run, table, key, policy)
    reasons += both
    work = find(run.worker, table, key, policy)
    drift += not_approved(run, work) or _nothing_live(run, work)
    if drift and run.options.drift != "accept":
        raise DriftedError(
            f"{key} is no longer as the plan saw it; nothing was changed",
            why=_numbered(reasons + drift),
            fix="look at it again with `vaccine plan`, or accept the database as it is with "
            "`alembic -x vaccine.drift=accept upgrade …`",
            reasons=reasons + drift,
        )
    if reasons:
        raise refusal(key, reasons)
    missing = index is not None and index_state(run.worker, index, key).kind != "valid"
    if work.rows:
        _tell_of_hidden_replicas(run)
    if work.rows or missing:
        need = read_need(run.worker, table, key, policy.assign, work.rows, index=missing)
        run.say(need.line(read_space(run.worker)))
    if work.rows and missing and (blockers := who_would_block(run.worker, key)):
        run.say(f"after the dedupe the build would wait, as things stand, for: {named(blockers)}")
    return table, work


def _nothing_live(run: Run, work: Work) -> list[str]:
    """Whether the approved rows are gone with all others. Not asked of a run that goes on where another ended."""
    if work.rows or not work.policy.rows or already_resolved(run.worker, work.key, work.policy.plan):
        return []
    live = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(work.table.source, live_key(work.key))
    row = run.worker.execute(live).fetchone()
    if row and row[0]:
        return []
    saw = f"no row of the table is live any more, where the plan saw {work.policy.max_rows} to resolve"
    return [f"{saw}: another database, an emptied table, or a predicate that fits no row"]


def before_index(run: Run, name: str, key: Key, policy: Policy) -> TargetTable:
    """What must hold before the index is built.

    Raises:
        PreflightError: every reason why not.
    """
    table = _readable(run, key)
    reasons = [*_shape(run, table, key, policy), *_rights(run, table, key), *_space(run)]
    blockers = who_would_block(run.worker, key)
    reasons += [*_index(run, name, table, key), *_held_for_ever(run, blockers)]
    reasons = reasons or _width(run, table, key)
    if reasons:
        raise refusal(key, reasons, INDEX_REFUSED)
    if blockers:
        run.say(f"the build will wait up to {run.options.wait_s} s for: {named(blockers)}")
    return table


def before_drop(run: Run, key: Key) -> None:
    """What must hold before the index is dropped: what this revision resolved can be restored afterwards.

    Raises:
        RestoreError: the table lost a column that the journal holds; with `-x vaccine.restore=strict`, too, images
            were pruned or rows were changed since.
        PreflightError: every reason why not.
    """
    table = _table(run, key)
    reasons = [*missing_on_journal(run.worker, key), *_held_for_ever(run, holders_of(run.worker, key))]
    if reasons:
        raise refusal(key, reasons, DROP_REFUSED)
    if not has_journal(run.worker):
        return
    complete_journal(run.worker)
    where = key.schema, key.table, list(key.columns), key.where, run.revision
    for (plan,) in run.worker.execute(UNRESTORED_PLANS, where).fetchall():
        if run.options.restore == "strict":
            before_restore(run, key, plan)
        else:
            refuse_lost_columns(run, key, plan, table)
            refuse_unsettable(run, key, plan, table)


def before_restore(run: Run, key: Key, plan: str) -> TargetTable:
    """What must hold before rows are restored.

    Raises:
        RestoreError: the table lost a column that the journal holds; with `-x vaccine.restore=strict`, too, rows that
            were changed since.
        PreflightError: any other reason.
    """
    table = _readable(run, key)
    reasons = _rights(run, table, key)
    if reasons:
        raise refusal(key, reasons)
    complete_journal(run.worker)
    _tell_of_hidden_replicas(run)
    refuse_pruned(run, key, plan)
    refuse_lost_columns(run, key, plan, table)
    refuse_unsettable(run, key, plan, table)
    if run.options.restore == "strict":
        edited = [row for restorer in restorers(run, key, plan, table) for row in restorer.edited()]
        if edited:
            shown = ", ".join(edited[:20]) + (", …" if len(edited) > 20 else "")
            raise RestoreError(
                f"{len(edited)} rows of {key} were changed or deleted since they were resolved; nothing was changed",
                why=f"primary keys {shown}; -x vaccine.restore=strict restores all rows or none",
                fix="without that option these rows keep their newer values, are listed, and stay in the journal",
            )
    return table


def _rights(run: Run, table: TargetTable, key: Key) -> list[str]:
    return [*missing_rights(run.worker, table), *missing_on_journal(run.worker, key)]


def _space(run: Run) -> list[str]:
    space = read_space(run.worker)
    if space.usable:
        return []
    lacking = f"default_tablespace is {space.name}, in which this role may create neither journal nor index"
    return [f"{lacking}: GRANT CREATE ON TABLESPACE to it, or ALTER ROLE … RESET default_tablespace"]


def _tell_of_hidden_replicas(run: Run) -> None:
    if run.options.max_lag_s and (hidden := hidden_replicas(run.worker)):
        those = "1 replica streams, and this role is not shown how late it is"
        if hidden > 1:
            those = f"{hidden} replicas stream, and this role is not shown how late they are"
        run.say(f"note: {those}, so the run does not rest for them: GRANT pg_monitor to it")


def _held_for_ever(run: Run, blockers: Sequence[Blocker]) -> list[str]:
    """The prepared transactions among them that are older than the run may wait: none of these ends by itself."""
    return [
        f"{each} holds the table, and never ends by itself; the index waits for it: {each.remedy}"
        for each in blockers
        if each.kind == "prepared" and each.age_s is not None and each.age_s >= run.options.wait_s
    ]


def refusal(key: Key, reasons: list[str], what: str = REFUSED) -> PreflightError:
    """One error that lists every reason."""
    return PreflightError(
        what.format(key),
        why=_numbered(reasons),
        fix="remove " + ("each cause" if len(reasons) > 1 else "the cause") + ", then run the same command again",
        reasons=reasons,
    )


def _numbered(reasons: list[str]) -> str:
    if len(reasons) == 1:
        return reasons[0]
    return "".join(f"\n    {number}. {reason}" for number, reason in enumerate(reasons, 1))


def _table(run: Run, key: Key) -> TargetTable:
    """The table; what makes all other questions pointless is refused at once."""
    row = run.worker.execute(SERVER).fetchone()
    assert row is not None
    standby, read_only, version = row
    reasons = []
    if standby:
        reasons.append("this server is a standby, which cannot be written: connect to the primary")
    if read_only:
        reasons.append("default_transaction_read_only is on for this role or database: set it off")
    if version < 130000:
        reasons.append(f"PostgreSQL {version // 10000} is older than 13, the oldest that Vaccine supports")
    table = read_table(run.worker, key)
    if table is None:
        reasons.append(f"there is no table {key.schema}.{key.table}: the names are as in the catalog, case included")
    elif table.kind not in {ORDINARY, PARTITIONED}:
        reasons.append(f"{key.schema}.{key.table} is no table (relkind {table.kind}): name the table beneath it")
    if reasons or table is None:
        raise refusal(key, reasons)
    has_journal(run.worker)
    return table


def _readable(run: Run, key: Key) -> TargetTable:
    """The table, once it can be read: behind an ACCESS EXCLUSIVE lock the questions would wait without an end."""
    table = _table(run, key)
    with suppress(psycopg.errors.InsufficientPrivilege):  # asked about next, in words
        with_lock_retries(
            run.worker,
            run.options,
            lambda: run.worker.execute(sql.SQL("SELECT FROM {} LIMIT 0").format(table.source)),
            f"read {key.schema}.{key.table}; nothing was changed",
            blame=lambda: f"the table is held by {named(found)}" if (found := holders_of(run.worker, key)) else "",
        )
    return table


def _shape(run: Run, table: TargetTable, key: Key, policy: Policy) -> list[str]:
    """Whether the key and the policy fit the table as it is now."""
    missing = [name for name in (*key.columns, *policy.assign) if table.column(name) is None]
    if missing:
        return [
            f"the table has no column {', '.join(missing)}: it was changed since the plan; run `vaccine plan` again"
        ]
    if not table.primary_key:
        return ["the table has no primary key, so no row could be found again for its undo: give it one"]
    reasons = _too_many_columns(table)
    for name in policy.assign:
        column = table.column(name)
        if column is not None and (column.generated or column.identity == "a"):
            reasons.append(f"column {name} is generated, it cannot be assigned: assign the column that it follows")
        if name in table.primary_key:
            reasons.append(f"column {name} is in the primary key, by which rows are found again: assign another one")
    if not policy.assign:
        reasons.append("`assign` is empty, so nothing would retire a row")
    reasons += carried.reasons(run.worker, table, list(policy.assign), "resolving a row")
    reasons += [
        f"a primary key in `keep` has {len(row)} parts, the table's has {len(table.primary_key)}"
        for row in policy.keep
        if len(row) != len(table.primary_key)
    ]
    if reasons:
        return reasons
    for what, statement in _probes(table, key, policy):
        try:
            run.worker.execute(statement)
        except psycopg.Error as error:
            message = str(error).strip().splitlines()[0]
            reasons.append(f"{what} does not fit the table: {message} ({error.sqlstate})")
    return reasons


def _too_many_columns(table: TargetTable) -> list[str]:
    if len(table.columns) <= MOST_COLUMNS:
        return []
    count = f"the table has {len(table.columns)} columns, Vaccine takes {MOST_COLUMNS} at most"
    return [f"{count}: a row is joined to its old image, and PostgreSQL joins 1664 columns"]


def _probes(table: TargetTable, key: Key, policy: Policy) -> list[tuple[str, sql.Composed]]:
    """Statements that are parsed and planned against the table and touch no row."""
    order = sql.SQL(", ").join([key.column_list, *(raw(f"{term}\n") for term in policy.survivor)])
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), value(to)) for name, to in policy.assign.items()
    )
    source = table.source
    return [
        ("`where`", sql.SQL("SELECT FROM {} WHERE {} LIMIT 0").format(source, live_key(key))),
        ("`keep`", sql.SQL("SELECT FROM {} WHERE {} LIMIT 0").format(source, kept(Work(table, key, policy, 0, 0)))),
        ("`columns` or `survivor`", sql.SQL("SELECT FROM {} ORDER BY {} LIMIT 0").format(source, order)),
        ("`assign`", sql.SQL("EXPLAIN UPDATE {} SET {} WHERE FALSE").format(source, assignments)),
    ]


def _index(run: Run, name: str, table: TargetTable, key: Key) -> list[str]:
    """Whether an index of that name could be built on the table."""
    reasons = []
    if table.kind == PARTITIONED:
        reasons.append(
            "the table is partitioned: CREATE INDEX CONCURRENTLY is not possible there, and a unique key must hold the "
            "partition key: vaccinate each partition, or build the index on each and attach it"
        )
    children = run.worker.execute(
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_inherits WHERE inhparent = %s", (table.oid,)
    ).fetchone()
    if table.kind == ORDINARY and children and children[0]:
        run.say(f"note: {children[0]} tables inherit from {key.schema}.{key.table}; an index does not cover their rows")
    if len(name.encode()) > 63:
        reasons.append(f"the index name {name!r} has {len(name.encode())} bytes, PostgreSQL would cut it at 63")
    try:
        try_out(run.worker, key)
        state = index_state(run.worker, name, key)
    except (psycopg.ProgrammingError, psycopg.NotSupportedError) as error:
        told = str(error).strip().splitlines()[0]
        return [*reasons, f"no such index can be made: {told} ({error.sqlstate})"]
    if state.kind == "other":
        reasons.append(
            f"the name {name} is taken in schema {key.schema}: {state.description}: drop or rename that, or "
            "choose another name in the revision"
        )
    return reasons


def _width(run: Run, table: TargetTable, key: Key) -> list[str]:
    """Whether each live key fits a btree entry: the long ones are tried out in a temporary index."""
    wide = [row[0] for row in run.worker.execute(WIDE_TYPES, (table.oid, list(key.columns)))]
    if not wide:
        return []
    length = sql.SQL(" + ").join(sql.SQL("octet_length({}::text)").format(sql.Identifier(name)) for name in wide)
    condition = sql.SQL("{} AND {} > {}").format(live_key(key), length, sql.Literal(WIDE_BYTES))
    try:
        with run.worker.transaction(force_rollback=True):
            run.worker.execute(
                sql.SQL("CREATE TEMPORARY TABLE vaccine_wide AS SELECT {} FROM {} WHERE {}").format(
                    key.column_list, table.source, condition
                )
            )
            run.worker.execute(sql.SQL("CREATE INDEX ON pg_temp.vaccine_wide ({})").format(key.column_list))
    except psycopg.errors.ProgramLimitExceeded as error:
        told = str(error).splitlines()[0]
        return [f"a live key is too wide for a btree index ({told}): shorten it, or guard a hash of it"]
    return []


def _kept_rows(run: Run, table: TargetTable, key: Key, policy: Policy) -> tuple[list[str], list[str]]:
    """The rows kept by hand: why no index could be built over them, and how they are no longer as planned."""
    if not policy.keep:
        return [], []
    chosen = kept(Work(table, key, policy, 0, 0))
    row = run.worker.execute(
        sql.SQL(
            "SELECT count(*), count(*) FILTER (WHERE ({live}) IS TRUE), (SELECT count(*) FROM (SELECT FROM {source}"
            " WHERE {chosen} AND {live} GROUP BY {columns} HAVING count(*) > 1) AS twice) FROM {source} WHERE {chosen}"
        ).format(live=live_key(key), source=table.source, chosen=chosen, columns=key.column_list)
    ).fetchone()
    assert row is not None
    there, live, twice = row
    both, drift = [], []
    if there < len(policy.keep):
        drift.append(f"{len(policy.keep) - there} of the rows kept by hand are gone")
    if live < there:
        drift.append(f"{there - live} of the rows kept by hand are no longer live")
    if twice:
        both.append(f"{twice} groups hold two rows that are both kept by hand: only one can stay")
    return both, drift
