"""Whoever would make the build wait is named beforehand; whoever would not, is not."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.runs import INDEX, KEY, insert, make_table, running, snapshot
from vaccine.operations.errors import BlockedError, LockTimeoutError
from vaccine.operations.index.build import build_unique_index, index_statement
from vaccine.operations.options import Options
from vaccine.operations.session.blockers import duration, holders_of, named, who_blocks, who_would_block
from vaccine.operations.session.retry import with_lock_retries


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
        assert [(each.kind, each.pid) for each in holders_of(table, KEY)] == [("locker", reader.info.backend_pid)]
        assert who_would_block(table, KEY, ignore=[reader.info.backend_pid]) == ()


def test_whom_a_session_waits_for(database: str, table: psycopg.Connection) -> None:
    assert who_blocks(table, table.info.backend_pid) == ()


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0.0 s"), (0.34, "0.3 s"), (42.4, "42 s"), (303, "5 min 3 s"), (7800, "2 h 10 min")]
)
def test_a_length_of_time_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.every_version
def test_a_prepared_transaction_that_only_reads_blocks_a_drop_and_no_build(
    database: str, table: psycopg.Connection
) -> None:
    with psycopg.connect(database, autocommit=True) as two_phase:
        two_phase.execute("BEGIN")
        two_phase.execute(psycopg.sql.SQL("SELECT FROM {}").format(KEY.relation))
        two_phase.execute("PREPARE TRANSACTION 'reads'")
    assert who_would_block(table, KEY) == ()
    assert [each.transaction for each in holders_of(table, KEY)] == ["reads"]


@pytest.fixture
def small(table: psycopg.Connection) -> Iterator[str]:
    """A role that owns the table and is not shown what other roles' sessions do."""
    table.execute("DROP ROLE IF EXISTS small; CREATE ROLE small LOGIN")
    table.execute(psycopg.sql.SQL("ALTER TABLE {} OWNER TO small").format(KEY.relation))
    schema, database = map(psycopg.sql.Identifier, (KEY.schema, table.info.dbname))
    table.execute(psycopg.sql.SQL("GRANT ALL ON SCHEMA {} TO small").format(schema))
    table.execute(psycopg.sql.SQL("GRANT TEMPORARY ON DATABASE {} TO small").format(database))
    yield "small"
    table.execute(psycopg.sql.SQL("ALTER TABLE {} OWNER TO postgres").format(KEY.relation))
    table.execute("DROP OWNED BY small; DROP ROLE small")


@pytest.mark.every_version
def test_what_would_show_a_hidden_session_is_named(database: str, table: psycopg.Connection, small: str) -> None:
    theirs = database.replace("postgres@", f"{small}@")
    with psycopg.connect(database, application_name="billing") as writer:
        insert(writer, "b")
        with running(theirs, wait_s=1) as (run, _), pytest.raises(BlockedError) as refused:
            build_unique_index(run, INDEX, KEY, resolve=lambda: 0)
        told = f"writer pid {writer.info.backend_pid} (application billing, user postgres, hidden from this role)"
        assert told in refused.value.why
        assert "GRANT pg_read_all_stats (or pg_monitor) to this role" in refused.value.fix
        lock = index_statement(INDEX, KEY, concurrently=False)
        with running(theirs) as (run, _), pytest.raises(LockTimeoutError) as late:
            with_lock_retries(
                run.worker,
                Options(lock_timeout_ms=20, lock_tries=1),
                lambda: run.worker.execute(lock),
                "lock it",
                blame=lambda: named(holders_of(run.worker, KEY)),
            )
        assert told in late.value.why
        assert "GRANT pg_read_all_stats" in late.value.fix


@pytest.mark.every_version
def test_two_transactions_of_a_hidden_session_are_not_taken_for_one(
    database: str, table: psycopg.Connection, small: str
) -> None:
    """Else a session that writes again and again would be waited for without an end."""
    with (
        psycopg.connect(database) as writer,
        psycopg.connect(database.replace("postgres@", f"{small}@"), autocommit=True) as asking,
    ):
        seen = []
        for key in ("b", "c"):
            insert(writer, key)
            (one,) = who_would_block(asking, KEY)
            (again,) = who_would_block(asking, KEY)
            assert one.hidden
            assert one.identity == again.identity
            seen.append(one.identity)
            writer.commit()
    assert seen[0] != seen[1]
