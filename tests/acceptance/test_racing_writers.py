"""Eight writers that find, then insert, race for a hot set of keys while the vaccination runs, and after it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.alembic_env import make_environment, write_revision
from tests.images import Image, image_rows
from tests.runs import gate_objects, indexes

INDEX = "uq_issues_open_hash"
KEY: dict[str, Any] = {
    "schema": "public",
    "table": "issues",
    "columns": ["hash"],
    "where": "status = 'open' AND hash IS NOT NULL",
}
POLICY: dict[str, Any] = {
    "survivor": ["seen DESC", "id DESC"],
    "assign": {"status": "resolved"},
    "keep": [],
    "max_rows": 1_000_000,
    "plan": "6f1c2e0a",
}
HOT = [f"h{n}" for n in range(12)]
REFUSED = (psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


class Writer(threading.Thread):
    """Finds the open row of a key, and makes one when there is none; now and then closes one, so that all goes on."""

    def __init__(self, number: int, url: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.stop = stop
        self.random = random.Random(number)
        self.next_id = (number + 1) * 10_000_000
        self.acknowledged: list[int] = []
        self.refused: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self.way: Callable[[psycopg.Connection, str], list[int]] = [
            self.plain, self.many, self.copy, self.reopen, self.repeatable, self.plain, self.many, self.reopen,
        ][number % 8]  # fmt: skip

    def run(self) -> None:
        try:
            with psycopg.connect(self.url, prepare_threshold=None) as connection:
                while not self.stop.is_set():
                    self.once(connection)
        except BaseException as error:  # noqa: BLE001  the test's thread raises it
            self.failure = error

    def once(self, connection: psycopg.Connection) -> None:
        key = self.random.choice(HOT)
        try:
            if self.way == self.repeatable:
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = connection.execute("SELECT id FROM issues WHERE hash = %s AND status = 'open'", (key,)).fetchall()
            if self.way != self.repeatable:
                connection.commit()
            made: list[int] = []
            if not found:
                time.sleep(0.002)
                made = self.way(connection, key)
            elif self.random.random() < 0.3:
                connection.execute("UPDATE issues SET status = 'closed' WHERE id = %s", found[0])
            connection.commit()
            self.acknowledged += made
        except REFUSED as error:
            connection.rollback()
            self.refused[str(error.sqlstate)] += 1
        time.sleep(0.001)

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def plain(self, connection: psycopg.Connection, key: str) -> list[int]:
        made = self.new_id()
        connection.execute("INSERT INTO issues (id, hash) VALUES (%s, %s)", (made, key))
        return [made]

    def repeatable(self, connection: psycopg.Connection, key: str) -> list[int]:
        return self.plain(connection, key)

    def many(self, connection: psycopg.Connection, key: str) -> list[int]:
        made = [self.new_id(), self.new_id()]
        values = (made[0], key, made[1], self.random.choice(HOT))
        connection.execute("INSERT INTO issues (id, hash) VALUES (%s, %s), (%s, %s)", values)
        return made

    def copy(self, connection: psycopg.Connection, key: str) -> list[int]:
        made = self.new_id()
        with connection.cursor().copy("COPY issues (id, hash) FROM STDIN") as copy:
            copy.write_row((made, key))
        return [made]

    def reopen(self, connection: psycopg.Connection, key: str) -> list[int]:
        statement = (
            "UPDATE issues SET status = 'open', seen = now() WHERE id = "
            "(SELECT id FROM issues WHERE hash = %s AND status <> 'open' ORDER BY id DESC LIMIT 1) "
            "AND status <> 'open'"
        )
        connection.execute(statement, (key,))
        return []


@pytest.mark.parametrize("extra", [[], ["-x", "vaccine.gate=always"]], ids=["gate auto", "gate always"])
def test_converges_loses_nothing_and_comes_back(
    database: str, connection: psycopg.Connection, tmp_path: Path, extra: list[str]
) -> None:
    connection.execute(
        "CREATE TABLE issues (id bigint PRIMARY KEY, hash text, status text NOT NULL DEFAULT 'open', "
        "seen timestamptz NOT NULL DEFAULT clock_timestamp())"
    )
    connection.execute("INSERT INTO issues (id, hash) SELECT n, 'h' || n % 500 FROM generate_series(1, 3000) AS n")
    environment = make_environment(tmp_path, database)
    write_revision(environment, KEY, POLICY, index=INDEX)
    stop = threading.Event()
    writers = [Writer(number, database, stop) for number in range(8)]
    for writer in writers:
        writer.start()
    try:
        before = sum(len(writer.acknowledged) for writer in writers)
        output = environment.alembic(*extra, "upgrade", "head").stdout
        time.sleep(0.5)  # the writers go on against the index
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
    assert [writer.failure for writer in writers if writer.failure] == []
    made = {each for writer in writers for each in writer.acknowledged}
    assert len(made) > before, "nothing was written meanwhile"
    assert sum(writer.refused["23505"] for writer in writers) > 0, "nothing raced"

    there = {row[0] for row in connection.execute("SELECT id FROM issues")}
    assert made - there == set()
    assert set(range(1, 3001)) - there == set()
    twice = "SELECT hash FROM issues WHERE status = 'open' AND hash IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
    assert connection.execute(twice).fetchall() == []
    assert indexes(connection) == {INDEX: True}, output
    assert gate_objects(connection) == []

    expected = undone(connection)
    environment.alembic("downgrade", "base")
    assert rows(connection) == expected
    assert indexes(connection) == {}


def rows(connection: psycopg.Connection) -> dict[int, Image]:
    found = connection.execute("SELECT id::text, hash, status, seen::text FROM issues").fetchall()
    return {int(row[0]): dict(zip(("id", "hash", "status", "seen"), row, strict=True)) for row in found}


def undone(connection: psycopg.Connection) -> dict[int, Image]:
    """The table with each journalled row that is still as it was left put back, the last batch first."""
    state = rows(connection)
    for (images,) in connection.execute("SELECT DISTINCT images FROM vaccine.journal").fetchall():
        for _, (before, after) in sorted(image_rows(connection, images).items(), reverse=True):
            number = int(before["id"] or 0)
            if state[number] == after:
                state[number] = before
    return state
