"""Whoever would make the build wait is named beforehand; whoever would not, is not."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.runs import KEY, insert, make_table, snapshot
from vaccine.operations.blockers import duration, holders_of, named, who_blocks, who_would_block


@pytest.fixture
def table(connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    make_table(connection, ["a"])
    connection.execute("CREATE TABLE other (id int)")
    yield connection
    for (gid,) in connection.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
        connection.execute(psycopg.sql.SQL("ROLLBACK PREPARED {}").format(psycopg.sql.Literal(gid)))


@pytest.mark.every_version
def test_writers_snapshots_and_prepared_transactions_are_named(database: str, table: psycopg.Connection) -> None:
    assert who_would_block(table, KEY) == ()
    with psycopg.connect(database, application_name="billing") as writer, snapshot(database) as old:
        insert(writer, "b")
        found = {each.kind: each for each in who_would_block(table, KEY)}
        assert set(found) == {"writer", "snapshot"}
        assert (found["writer"].pid, found["writer"].application) == (writer.info.backend_pid, "billing")
        assert found["snapshot"].pid == old.info.backend_pid
        assert found["writer"].state == "idle in transaction"
        assert "billing" in named(found.values())
        assert found["writer"].remedy == f"SELECT pg_terminate_backend({writer.info.backend_pid})"
        writer.rollback()
    with psycopg.connect(database, autocommit=True) as two_phase:
        two_phase.execute("BEGIN")
        insert(two_phase, "c")
        two_phase.execute("PREPARE TRANSACTION 'it''s open'")
    [prepared] = who_would_block(table, KEY)
    assert (prepared.kind, prepared.pid, prepared.transaction) == ("prepared", None, "it's open")
    assert prepared.remedy.endswith("'it''s open'")


@pytest.mark.every_version
def test_those_for_whom_no_build_waits_are_left_out(database: str, table: psycopg.Connection) -> None:
    with psycopg.connect(database) as reader, psycopg.connect(database) as elsewhere:
        reader.execute(psycopg.sql.SQL("SELECT * FROM {} FOR UPDATE").format(KEY.relation))
        elsewhere.execute("INSERT INTO other VALUES (1)")
        assert who_would_block(table, KEY) == ()
        assert [(each.kind, each.pid) for each in holders_of(table, KEY)] == [("reader", reader.info.backend_pid)]
        assert who_would_block(table, KEY, ignore=[reader.info.backend_pid]) == ()


def test_whom_a_session_waits_for(database: str, table: psycopg.Connection) -> None:
    assert who_blocks(table, table.info.backend_pid) == ()


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0.0 s"), (0.34, "0.3 s"), (42.4, "42 s"), (303, "5 min 3 s"), (7800, "2 h 10 min")]
)
def test_a_length_of_time_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
