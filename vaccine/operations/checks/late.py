"""Duplicates that arrive while the index is built: approved as those before them, or refused by name."""

from __future__ import annotations

from psycopg import sql

from ..errors import DriftedError
from ..key import Key, Policy, names
from ..rows.find import Work, find, live_key
from ..rows.resolve import check_rows
from ..session.run import Run
from ..table import TargetTable

SHOWN = 20


def late_duplicates(run: Run, table: TargetTable, key: Key, policy: Policy) -> Work:
    """The excess rows that are there now.

    Raises:
        DriftedError: other rows or more than approved; or any, where the revision has no way to retire one.
    """
    if table.primary_key and policy.assign:
        work = find(run.worker, table, key, policy)
        check_rows(run, work)
        return work
    groups = run.worker.execute(
        sql.SQL(
            "SELECT ROW({columns})::text, count(*), {which}"
            " FROM {source} WHERE {live} GROUP BY {columns} HAVING count(*) > 1 ORDER BY {columns} LIMIT {shown}"
        ).format(
            columns=key.column_list,
            which=sql.SQL("pg_catalog.string_agg(ROW({0})::text, ', ' ORDER BY {0})").format(names(table.primary_key))
            if table.primary_key
            else sql.SQL("NULL"),
            source=table.source,
            live=live_key(key),
            shown=SHOWN,
        )
    ).fetchall()
    if not groups:
        return Work(table, key, policy, 0, 0)
    lacks = "its `assign` is empty" if table.primary_key else "the table has no primary key"
    told = "; ".join(
        f"{value}: {rows} rows" + (f", primary keys {which}" if table.primary_key else "")
        for value, rows, which in groups
    )
    raise DriftedError(
        f"duplicates of {key} arrived during the build, and nothing in the revision would retire them ({lacks})",
        why=told + ("; and perhaps more" if len(groups) == SHOWN else ""),
        fix="resolve them by hand, or plan again with --assign; then run the same command again",
    )
