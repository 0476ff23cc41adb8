"""The index is built, recognised by its definition, and repaired from every state that a failed build leaves."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from psycopg import sql

from tests.runs import (
    INDEX,
    KEY,
    gate_objects,
    indexes,
    insert,
    leave_not_ready,
    leave_ready,
    make_table,
    resolve_by_hand,
    running,
    snapshot,
)
from vaccine.operations.errors import BuildError, DriftedError, PreflightError
from vaccine.operations.index.build import (
    build_unique_index,
    drop_unique_index,
    index_state,
    index_statement,
    same_meaning,
)
from vaccine.operations.index.states import is_leftover_of, leftovers
from vaccine.operations.key import Key


@pytest.mark.every_version
def test_builds_once_and_then_recognises_it(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a", "b", None, None])
    with running(database) as (run, _):
        first = build_unique_index(run, INDEX, KEY, resolve=lambda: resolve_by_hand(database))
        again = build_unique_index(run, INDEX, KEY, resolve=lambda: resolve_by_hand(database))
        assert (first.builds, again.builds) == (1, 0)
        assert index_state(run.worker, INDEX, KEY).kind == "valid"
        assert same_meaning(run.worker, KEY) == (INDEX,)
        assert drop_unique_index(run, INDEX, KEY) is True
        assert drop_unique_index(run, INDEX, KEY) is False
    assert indexes(connection) == {}


@pytest.mark.every_version
def test_an_index_that_enforces_nothing_is_dropped_and_built_again(
    database: str, connection: psycopg.Connection
) -> None:
    make_table(connection, ["a", "a", "b"])
    leave_not_ready(database)
    with running(database) as (run, said):
        assert index_state(run.worker, INDEX, KEY).kind == "invalid_not_ready"
        done = build_unique_index(run, INDEX, KEY, resolve=lambda: resolve_by_hand(database))
    assert (done.builds, done.resolved) == (2, 1)
    assert indexes(connection) == {INDEX: True}
    assert any("enforces nothing" in line for line in said)


@pytest.mark.every_version
def test_an_index_that_enforces_already_is_kept_and_repaired(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a", "b"])
    leave_ready(database)
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert(connection, "a")
    [(oid,)] = connection.execute("SELECT oid FROM pg_class WHERE relname = %s", (INDEX,)).fetchall()
    refused = []

    def racing() -> int:
        with pytest.raises(psycopg.errors.UniqueViolation):
            insert(connection, "a")
        refused.append(1)
        return 0

    with running(database) as (run, _):
        assert index_state(run.worker, INDEX, KEY).kind == "invalid_ready"
        done = build_unique_index(run, INDEX, KEY, resolve=racing)
    assert (done.builds, refused) == (1, [1])
    assert indexes(connection) == {INDEX: True}
    assert connection.execute("SELECT count(*) FROM pg_class WHERE oid = %s", (oid,)).fetchone() == (0,)  # reindexed


@pytest.mark.every_version
def test_copies_that_a_failed_reindex_left_are_dropped(database: str, connection: psycopg.Connection) -> None:
    name = "n" * 50 + "é" * 6 + "m"  # 63 bytes: the copies' names are cut within a letter
    assert len(name.encode()) == 63
    make_table(connection, ["a"])
    leave_ready(database, name)
    with snapshot(database), psycopg.connect(database, autocommit=True) as other:
        other.execute("SET lock_timeout = '150ms'")
        for _ in range(2):
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute(sql.SQL("REINDEX INDEX CONCURRENTLY {}").format(sql.Identifier(KEY.schema, name)))
    assert len(indexes(connection)) == 3
    assert len(leftovers(connection, name, KEY)) == 2
    with running(database) as (run, _):
        build_unique_index(run, name, KEY, resolve=lambda: resolve_by_hand(database))
        assert indexes(connection) == {name: True}
        drop_unique_index(run, name, KEY)
    assert indexes(connection) == {}


def test_leftovers_are_known_by_postgresqls_own_way_to_cut_names() -> None:
    assert is_leftover_of("uq_a_ccnew", "uq_a")
    assert is_leftover_of("uq_a_ccold12", "uq_a")
    assert not is_leftover_of("uq_ab_ccnew", "uq_a")
    assert not is_leftover_of("uq_ccnew", "uq_a")
    assert is_leftover_of("n" * 57 + "_ccnew", "n" * 63)
    assert not is_leftover_of("n" * 56 + "_ccnew", "n" * 63)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX {index} ON {table} ({one}, {two}) WHERE {status} = 'closed'",
        "CREATE UNIQUE INDEX {index} ON {table} ({one}, {two})",
        "CREATE UNIQUE INDEX {index} ON {table} ({one}) WHERE {live}",
        "CREATE INDEX {index} ON {table} ({one}, {two}) WHERE {live}",
        "CREATE UNIQUE INDEX {index} ON {table} (lower({one}), {two}) WHERE {live}",
        'CREATE UNIQUE INDEX {index} ON {table} ({one} COLLATE "C", {two}) WHERE {live}',
        "CREATE UNIQUE INDEX {index} ON {table} ({one}, {two}) NULLS NOT DISTINCT WHERE {live}",
        "CREATE TABLE {schema}.{index} ()",
        "CREATE VIEW {schema}.{index} AS SELECT 1",
    ],
)
def test_another_definition_of_that_name_is_left_alone(
    database: str, connection: psycopg.Connection, statement: str
) -> None:
    make_table(connection, ["a"])
    one, two, status = map(sql.Identifier, (*KEY.columns, "stat'us"))
    connection.execute(
        sql.SQL(statement).format(
            index=sql.Identifier(INDEX), table=KEY.relation, schema=sql.Identifier(KEY.schema), one=one, two=two,
            status=status, live=KEY.live,
        )
    )  # fmt: skip
    with running(database) as (run, _):
        before = index_state(run.worker, INDEX, KEY)
        assert before.kind == "other"
        with pytest.raises(PreflightError, match="left alone"):
            build_unique_index(run, INDEX, KEY, resolve=lambda: 0)
        with pytest.raises(PreflightError, match="left alone"):
            drop_unique_index(run, INDEX, KEY)
        assert index_state(run.worker, INDEX, KEY) == before


def test_the_same_meaning_in_other_words_is_the_same_index(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a"])
    connection.execute(index_statement(INDEX, KEY, concurrently=False))
    other = Key(KEY.schema, KEY.table, KEY.columns, '(("stat\'us" = \'op\'\'en\'::text)) AND ("sel""ect") is not null')
    assert index_state(connection, INDEX, other).kind == "valid"
    assert same_meaning(connection, other) == (INDEX,)


def test_too_many_late_duplicates_end_the_run_and_leave_nothing(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a", "a"])

    def refuse() -> int:
        raise DriftedError("more rows than approved")

    with running(database) as (run, _), pytest.raises(DriftedError, match="more rows"):
        build_unique_index(run, INDEX, KEY, resolve=refuse)
    assert indexes(connection) == {}


def test_gives_up_after_the_builds_it_may_have(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a", "a"])
    with running(database, builds=2, gate="never") as (run, _), pytest.raises(BuildError, match="2 builds failed"):
        build_unique_index(run, INDEX, KEY, resolve=lambda: 0)
    assert indexes(connection) == {}


@pytest.mark.every_version
def test_the_gate_goes_up_after_three_failed_builds_and_one_more_is_enough(
    database: str, connection: psycopg.Connection
) -> None:
    """A writer that adds a duplicate right after each look cannot be outrun, and cannot pass the gate."""
    make_table(connection, ["a", "b"])
    stopped = []

    def resolve_and_lose() -> int:
        done = resolve_by_hand(database)
        try:
            insert(connection, "a")
        except psycopg.errors.UniqueViolation as error:
            stopped.append((error.diag.constraint_name, error.diag.table_name, error.diag.schema_name))
        return done

    insert(connection, "a")
    with running(database) as (run, _):
        done = build_unique_index(run, INDEX, KEY, resolve=resolve_and_lose)
    assert (done.builds, done.gated) == (4, True)
    assert stopped == [(INDEX, KEY.table, KEY.schema)]
    assert indexes(connection) == {INDEX: True}
    assert gate_objects(connection) == []


def test_waits_for_the_build_of_a_dead_run(database: str, connection: psycopg.Connection) -> None:
    make_table(connection, ["a", "b"])
    with snapshot(database) as old:

        def orphan() -> None:
            with psycopg.connect(database, autocommit=True) as other:
                other.execute(index_statement(INDEX, KEY))

        builder = threading.Thread(target=orphan)
        builder.start()
        while index_state(connection, INDEX, KEY).kind != "building":
            time.sleep(0.02)
        threading.Timer(0.5, old.rollback).start()
        with running(database) as (run, said):
            done = build_unique_index(run, INDEX, KEY, resolve=lambda: 0)
        builder.join()
    assert done.builds == 0
    assert any("is being built by pid" in line for line in said)
    assert indexes(connection) == {INDEX: True}
