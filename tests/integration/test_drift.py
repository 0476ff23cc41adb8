"""The drift rule: the approved rows or fewer of them may be resolved, any other row may not; two ask, one answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from tests.runs import running
from vaccine.catalog.keyname import KeyName
from vaccine.connect import read_only
from vaccine.errors import DriftError
from vaccine.operations.checks.preflight import before_resolve
from vaccine.operations.errors import DriftedError
from vaccine.operations.key import Key, Policy
from vaccine.operations.options import Options
from vaccine.operations.rows.journal import ensure_images, ensure_journal
from vaccine.operations.rows.resolve import Resolved, Resolver, resolve
from vaccine.plan import excess
from vaccine.plan.fingerprint import refuse_drift
from vaccine.plan.make import make_plan
from vaccine.plan.model import Plan
from vaccine.plan.request import Choices
from vaccine.plan.steps import values

# The text of its primary key hangs on settings of the session and, in one column, on a nondeterministic collation.
TABLE = """
CREATE TABLE issues (at timestamptz, "n o" text{collate}, hash text, status text, seen int, PRIMARY KEY ("n o", at));
INSERT INTO issues SELECT '2026-01-01', x.*
  FROM (VALUES ('1', 'a', 'open', 9), ('2', 'a', 'open', 8), ('3', 'a', 'open', 7), ('4', 'b', 'open', 16),
               ('5,"x"', 'b', 'open', 15), ('6', 'c', 'open', 4), ('7', 'a', 'closed', 1)) AS x;
"""
BLIND = "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
CHOICES = Choices(where="status = 'open'", assign=(("status", "closed"),), survivor=("seen DESC",))
ALL_GONE = "no row"

CHANGES = [
    ("an approved row is closed", "UPDATE issues SET status = 'closed' WHERE \"n o\" = '2'", []),
    ("an approved row is deleted", "DELETE FROM issues WHERE \"n o\" = '3'", []),
    ("all of a group are closed", "UPDATE issues SET status = 'closed' WHERE hash = 'b'", []),
    ("all excess rows are closed", "UPDATE issues SET status = 'closed' WHERE seen IN (8, 7, 15)", []),
    ("an approved row leaves its group", "UPDATE issues SET hash = 'z' WHERE \"n o\" = '3'", []),
    ("the survivor of two goes", "DELETE FROM issues WHERE \"n o\" = '4'", []),
    ("the survivor of three goes", "DELETE FROM issues WHERE \"n o\" = '1'", ["3 beside 2"]),
    ("a row moves to another group", "UPDATE issues SET hash = 'b' WHERE \"n o\" = '3'", ["3 beside 4"]),
    ("a row becomes a duplicate", "UPDATE issues SET hash = 'b' WHERE \"n o\" = '6'", ["6 beside 4"]),
    ("a row comes back to life", "UPDATE issues SET status = 'open' WHERE \"n o\" = '7'", ["7 beside 1"]),
    ("one goes, another comes", ("DELETE FROM issues WHERE \"n o\" = '2'; "
     "UPDATE issues SET hash = 'b' WHERE \"n o\" = '6'"), ["6 beside 4"]),
    ("a new row", "INSERT INTO issues VALUES ('2026-02-01', '8', 'c', 'open', 0)", ["8 beside 6"]),
    ("another row of a group is first", "UPDATE issues SET seen = 99 WHERE \"n o\" = '2'",
     ["1 beside 2", "3 beside 2"]),
    ("all are gone", "DELETE FROM issues", [ALL_GONE]),
    ("the predicate fits no row", "UPDATE issues SET status = 'OPEN' WHERE status = 'open'", [ALL_GONE]),
]  # fmt: skip


def planned(url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Plan, Plan]:
    """The plan with its rows by name, and as it would be if they were many: with a mark of each."""
    plans = []
    for few in (excess.FEW, 0):
        monkeypatch.setattr(excess, "FEW", few)
        with read_only(url) as connection:
            plans.append(make_plan(connection, [KeyName(None, "issues", ("hash",))], CHOICES))
    return plans[0], plans[1]


def policy_of(plan: Plan) -> tuple[Key, Policy]:
    (only,) = plan.vaccinations
    key = Key(only.schema, only.table, only.columns, only.where)
    return key, Policy(only.survivor, values(only.assign), only.keep, only.max_rows, plan.id, only.fingerprint.rows)


def table_of(connection: psycopg.Connection) -> str:
    try:
        connection.execute(BLIND)
    except psycopg.errors.FeatureNotSupported:  # a server that was built without ICU
        return TABLE.format(collate="")
    return TABLE.format(collate=" COLLATE blind")


@contextmanager
def another_session(url: str) -> Iterator[str]:
    """A database whose sessions print dates in their own way."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Tokyo'")
        connection.execute(f"ALTER DATABASE \"{name}\" SET datestyle = 'German'")
        yield url


@pytest.mark.every_version
def test_the_plan_and_the_upgrade_agree_on_what_is_drift(
    database: str, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(connection)
    connection.execute(table)
    plans = planned(database, monkeypatch)
    assert [type(plan.vaccinations[0].fingerprint.rows) for plan in plans] == [tuple, str]
    assert [plan.vaccinations[0].max_rows for plan in plans] == [3, 3]
    with another_session(database) as url:
        for what, change, others in CHANGES:
            connection.execute(change)
            for plan in plans:
                assert [named(message) for message in asked(url, plan)] == [others, others], what
            connection.execute("DROP TABLE issues; " + table)


def asked(url: str, plan: Plan) -> Iterator[str]:
    """What `vaccine revision` and the upgrade's preflight say of the drift; nothing where they find none."""
    key, policy = policy_of(plan)
    with read_only(url) as reader:
        yield refusal(DriftError, lambda: refuse_drift(reader, plan))
    with running(url) as (run, _):
        yield refusal(DriftedError, lambda: before_resolve(run, key, policy, None))
        accepting = replace(run, options=Options(drift="accept"))
        before_resolve(accepting, key, policy, None)


def refusal(kind: type[Exception], action: Callable[[], object]) -> str:
    try:
        action()
    except kind as error:
        return str(error)
    return ""


def named(message: str) -> list[str]:
    if "is live any more" in message:
        return [ALL_GONE]
    pairs = re.findall(r"\(([^(),]+), [^()]+\) \(beside \(([^(),]+), ", message)
    return [f"{row} beside {survivor}" for row, survivor in pairs]


def test_a_run_that_was_killed_goes_on_and_still_takes_no_other_row(
    database: str, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that the plan resolved before are neither missing nor new; one that arrives late is other all the same."""
    connection.execute(TABLE.format(collate=""))
    for plan in planned(database, monkeypatch):
        key, policy = policy_of(plan)
        with running(database) as (run, _):
            table, work = before_resolve(run, key, policy, None)
            ensure_journal(run.worker)
            first = Resolver(run, work, ensure_images(run.worker, table), Resolved())
            assert first.batch(0, 1, []) == 1
        with running(database) as (run, _):
            table, work = before_resolve(run, key, policy, None)
            assert work.rows == 2
            connection.execute("DELETE FROM issues WHERE \"n o\" = '3'")
            assert resolve(run, key, policy, table).rows == 1
            connection.execute("INSERT INTO issues VALUES ('2026-02-01', '8', 'c', 'open', 0)")
            with pytest.raises(
                DriftedError, match=r"\(8, .*beside \(6, "
            ):  # as many as were approved, and not the same
                resolve(run, key, policy, table)
        connection.execute("DROP TABLE issues; " + TABLE.format(collate=""))


def test_many_rows_are_few_bytes_in_the_revision_and_compared_at_once(
    database: str, connection: psycopg.Connection
) -> None:
    """The list of marks is joined by hashing, not searched for each row."""
    connection.execute("CREATE TABLE many (id int PRIMARY KEY, hash int, status text)")
    connection.execute("INSERT INTO many SELECT i, i / 2, 'open' FROM generate_series(0, 199999) AS i; ANALYZE many")
    choices = Choices(where="status = 'open'", assign=(("status", "closed"),))
    with read_only(database) as reader:
        plan = make_plan(reader, [KeyName(None, "many", ("hash",))], choices)
    rows = plan.vaccinations[0].fingerprint.rows
    assert isinstance(rows, str)
    assert len(rows) <= 100_000 * 7
    key, policy = policy_of(plan)
    began = time.monotonic()
    with running(database) as (run, _):
        before_resolve(run, key, policy, None)
        assert time.monotonic() - began < 20
        connection.execute("UPDATE many SET hash = 1 WHERE id = 5")
        with pytest.raises(DriftedError, match=r"primary key 2 \(beside 5\), 3 \(beside 5\)\n"):
            before_resolve(run, key, policy, None)
