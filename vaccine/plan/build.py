"""One finding and the DBA's choices → one Vaccination, with everything measured that can be measured read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from vaccine.audit.finding import Assignment, Finding
from vaccine.candidates.reasons import AGAINST_IT
from vaccine.catalog.path import texts_read
from vaccine.catalog.sql import query
from vaccine.errors import UsageError
from vaccine.operations import dry as describe
from vaccine.operations.dry import Key, Policy, Reason, holders_of, read_space
from vaccine.plan import afterwards, steps
from vaccine.plan.estimate import Sizes, estimate
from vaccine.plan.excess import count_groups, left_by, resolves_before
from vaccine.plan.fingerprint import fingerprint
from vaccine.plan.groups import Counted, Selection, read_groups, without_direction
from vaccine.plan.hazards import Session, Situation, hazards
from vaccine.plan.kept import refuse_unknown_rows
from vaccine.plan.model import Vaccination
from vaccine.plan.naming import index_name
from vaccine.plan.order import random_order, stamped_order
from vaccine.plan.questions import open_questions
from vaccine.plan.request import Choices, accepted_assignment, accepted_sql, refuse_unknown_columns
from vaccine.plan.target import Target, read_target, refuse_unreadable

UNBOUNDED = {"text", "character varying", "bytea", "jsonb"}


def build(
    connection: psycopg.Connection,
    finding: Finding,
    choices: Choices,
    groups_shown: int = 20,
    planned: Sequence[Vaccination] = (),
) -> Vaccination:
    """Plan one key, inside the connection's read-only transaction (see `fingerprint.fix_text_form`).

    Where the plan has resolved rows of the table before, the rows are found as they will be after that.

    Raises:
        UnknownKeyError, PredicateError, UsageError: the key or a choice does not fit the table.
        PermissionDeniedError: the role may not read the table.
    """
    target = read_target(connection, finding.schema, finding.table)
    refuse_unreadable(target)
    with texts_read(connection, (target.schema, target.table)):
        earlier = resolves_before(planned, target.schema, target.table)
        return _built(connection, target, finding, choices, groups_shown, earlier=earlier)


def _built(
    connection: psycopg.Connection,
    target: Target,
    finding: Finding,
    choices: Choices,
    groups_shown: int,
    *,
    earlier: Sequence[Vaccination],
) -> Vaccination:
    selection, assign = _chosen(connection, target, finding, choices)
    selection = replace(selection, left=left_by(connection, earlier))
    refuse_unknown_rows(connection, target, selection)
    countable = bool(target.primary_key)
    counted = count_groups(connection, selection) if countable else _count_without_key(connection, selection)
    _refuse_too_few(counted, choices)
    every_column = tuple(column.name for column in target.columns)
    groups = read_groups(connection, selection, every_column, groups_shown) if countable and counted.groups else ()
    name = choices.name or index_name(target.table, selection.columns, selection.where)
    reasons = _asked(connection, selection, name, counted=counted, assign=assign)
    situation = _situation(connection, target, selection, reasons, counted=counted, assign=assign)
    draft = Vaccination(
        schema=target.schema,
        table=target.table,
        columns=selection.columns,
        where=selection.where,
        index_name=name,
        survivor=selection.survivor,
        assign=assign,
        keep=selection.keep,
        max_rows=counted.excess_rows if choices.max_rows is None else choices.max_rows,
        gate=choices.gate or "auto",
        primary_key=target.primary_key,
        priority=str(finding.priority),
        reasons=tuple(each for each in finding.reasons if not each.startswith(AGAINST_IT)),
        rows=finding.rows,
        distinct=finding.distinct,
        groups=groups,
        up=(),
        down=(),
        hazards=(*open_questions(finding, choices, counted), *hazards(situation)),
        estimate=estimate(
            target, counted, _sizes(connection, target, selection, finding, assign), read_space(connection).name
        ),
        afterwards=(),
        fingerprint=fingerprint(target, counted),
        after=tuple(each.index_name for each in earlier),
    )
    return replace(
        draft,
        up=steps.up(connection, draft),
        down=steps.down(connection, draft),
        afterwards=afterwards.describe(connection, draft),
    )


def _chosen(
    connection: psycopg.Connection, target: Target, finding: Finding, choices: Choices
) -> tuple[Selection, Assignment]:
    """What the audit inferred, overridden by what the DBA chose, checked against the table."""
    lifecycle = finding.lifecycle
    where = finding.predicate if choices.where is None else choices.where or None
    assign = choices.assign if choices.assign is not None else (lifecycle.assign if lifecycle else ())
    survivor = choices.survivor or (lifecycle.survivor if lifecycle else ()) or ()
    refuse_unknown_columns(target, [*finding.columns, *(name for name, _ in assign)])
    survivor = _total_order(connection, target, survivor)
    where, survivor = accepted_sql(connection, target, where, survivor)
    assign = accepted_assignment(connection, target, assign)
    selection = Selection(
        target.schema, target.table, finding.columns, where, target.primary_key, survivor, choices.keep
    )
    return selection, assign


def _refuse_too_few(counted: Counted, choices: Choices) -> None:
    """A revision that may resolve fewer rows than there are would refuse itself.

    Raises:
        UsageError: says how many there are.
    """
    if choices.max_rows is not None and choices.max_rows < counted.excess_rows:
        raise UsageError(
            f"--max-rows {choices.max_rows} is less than the {counted.excess_rows} rows that there are to resolve",
            why="the upgrade would refuse every one of them",
            fix="leave --max-rows out, or say more; narrow which rows are live with --where",
        )


def _total_order(connection: psycopg.Connection, target: Target, survivor: tuple[str, ...]) -> tuple[str, ...]:
    """The survivor order with the primary key behind it, newest first: the outcome must not hang on chance."""
    quoted = [sql.Identifier(name).as_string(connection) for name in target.primary_key]
    plain = [_plain(connection, name) for name in target.primary_key]
    named = {without_direction(each) for each in survivor}
    missing = [
        f"{short} DESC" for short, long in zip(plain, quoted, strict=True) if short not in named and long not in named
    ]
    return (*survivor, *missing)


def _plain(connection: psycopg.Connection, name: str) -> str:
    """The name as quote_ident writes it: quoted only where it must be."""
    row = connection.execute("SELECT pg_catalog.quote_ident(%s)", (name,)).fetchone()
    assert row is not None
    text: str = row[0]
    return text


def _count_without_key(connection: psycopg.Connection, of: Selection) -> Counted:
    """Groups and excess rows of a table without a primary key: the rows cannot be named, only counted."""
    statement = sql.SQL(
        "SELECT count(*), coalesce(sum(rows - 1), 0)::bigint FROM"
        " (SELECT count(*) AS rows FROM {} WHERE {} GROUP BY {} HAVING count(*) > 1) AS repeated"
    ).format(of.source, of.live, sql.SQL(", ").join(map(sql.Identifier, of.columns)))
    row = connection.execute(statement).fetchone()
    assert row is not None
    return Counted(row[0], row[1], 0)


def _asked(
    connection: psycopg.Connection, of: Selection, name: str, *, counted: Counted, assign: Assignment
) -> tuple[Reason, ...]:
    """What the checks of the run time say, asked as for a plan.

    Raises:
        UsageError: an assignment does not fit its column.
    """
    key = Key(of.schema, of.table, of.columns, of.where)
    policy = Policy(of.survivor, steps.values(assign), of.keep, counted.excess_rows, "")
    reasons = describe.ask(connection, key, policy, name, counted.excess_rows, left=of.left)
    for reason in reasons:
        if reason.code == "misfit":
            raise UsageError(
                f"{reason.text.partition(' ')[0].strip('`')} does not fit {of.schema}.{of.table}",
                why=reason.text,
                fix="choose another value with --assign COLUMN=VALUE (an expression: --assign 'deleted_at=sql:now()')",
            )
    return reasons


def _situation(
    connection: psycopg.Connection,
    target: Target,
    selection: Selection,
    reasons: tuple[Reason, ...],
    *,
    counted: Counted,
    assign: Assignment,
) -> Situation:
    with connection.cursor(row_factory=class_row(Session)) as cursor:
        sessions = tuple(cursor.execute(query("plan_sessions"), {"oid": target.oid}))
    return Situation(
        target=target,
        where=selection.where,
        assign=assign,
        counted=counted,
        reasons=reasons,
        wide_keys=_wide_keys(connection, target, selection) if describe.untried(reasons) else 0,
        open_columns=_open_columns(connection, target, selection),
        none_live=not counted.groups and _none_live(connection, selection),
        sessions=sessions,
        prepared=_prepared(connection, target),
        stamped=stamped_order(connection, target, selection.survivor) if counted.excess_rows else None,
        random=random_order(connection, target, selection) if counted.excess_rows else (),
    )


def _prepared(connection: psycopg.Connection, target: Target) -> tuple[tuple[str, str], ...]:
    holders = holders_of(connection, Key(target.schema, target.table, (), None))
    return tuple((str(each), each.remedy) for each in holders if each.kind == "prepared")


def _wide_keys(connection: psycopg.Connection, target: Target, of: Selection) -> int:
    """Live rows whose key may not fit into an index entry; only columns without a short limit are looked at."""
    unbounded = [
        name for name in of.columns if target.by_name[name].type in {"text", "character varying", "bytea", "jsonb"}
    ]
    if not unbounded:
        return 0
    width = sql.SQL(" + ").join(
        sql.SQL("pg_catalog.octet_length({}::text)").format(sql.Identifier(name)) for name in unbounded
    )
    statement = sql.SQL("SELECT count(*) FROM {} WHERE {} AND {} > 2600").format(
        sql.Identifier(of.schema, of.table), of.live, width
    )
    row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0


def _open_columns(connection: psycopg.Connection, target: Target, of: Selection) -> tuple[str, ...]:
    """The nullable key columns of a composite key that have a NULL in some row that the predicate calls live."""
    nullable = [name for name in of.columns if not target.by_name[name].not_null]
    if len(of.columns) < 2 or not nullable:
        return ()
    where = sql.SQL(f"({of.where}\n)") if of.where else sql.SQL("TRUE")
    found = []
    for name in nullable:
        statement = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} AND {} IS NULL)").format(
            sql.Identifier(of.schema, of.table), where, sql.Identifier(name)
        )
        row = connection.execute(statement).fetchone()
        if row and row[0]:
            found.append(name)
    return tuple(found)


def _none_live(connection: psycopg.Connection, of: Selection) -> bool:
    """Whether the table has rows, and none that the index would hold."""
    statement = sql.SQL("SELECT EXISTS (SELECT FROM {0}) AND NOT EXISTS (SELECT FROM {0} WHERE {1})")
    row = connection.execute(statement.format(of.source, of.live)).fetchone()
    return bool(row and row[0])


def _sizes(
    connection: psycopg.Connection, target: Target, of: Selection, finding: Finding, assign: Assignment
) -> Sizes:
    """Average widths from a thousand live rows; the number of live rows from the planner, not counted again."""
    widths = (sql.SQL("pg_catalog.pg_column_size(sample.{})").format(sql.Identifier(name)) for name in of.columns)
    statement = sql.SQL(
        "SELECT coalesce(avg(pg_catalog.pg_column_size(sample.*)), 0)::float8, coalesce(avg({}), 0)::float8, count(*)"
        " FROM (SELECT * FROM {} WHERE {} LIMIT 1000) AS sample"
    ).format(
        sql.SQL(" + ").join(widths),
        sql.Identifier(of.schema, of.table),
        of.live,
    )
    row = connection.execute(statement).fetchone()
    assert row is not None
    rows = finding.rows if finding.rows is not None else max(round(target.rows_estimate), 0)
    live = row[2] if row[2] < 1000 else _planned_rows(connection, of, rows)
    key = Key(of.schema, of.table, of.columns, of.where)
    return Sizes(live, round(row[0]), round(row[1]), describe.journal_images(connection, key, steps.values(assign)))


def _planned_rows(connection: psycopg.Connection, of: Selection, at_most: int) -> int:
    """How many live rows the planner expects."""
    statement = sql.SQL("EXPLAIN (FORMAT JSON) SELECT 1 FROM {} WHERE {}").format(
        sql.Identifier(of.schema, of.table), of.live
    )
    row = connection.execute(statement).fetchone()
    assert row is not None
    expected: int = round(row[0][0]["Plan"]["Plan Rows"])
    return min(expected, at_most) if at_most else expected
