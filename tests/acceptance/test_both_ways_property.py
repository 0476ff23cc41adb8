"""The one statement a batch and the look at each row are two ways to one end, as a property.

The same random table is vaccinated and restored twice, once each way, with the same edits between: rows, images and
journal must be the same. VACCINE_EXAMPLES=2000 runs more examples than the suite does.
"""

from __future__ import annotations

import os
from dataclasses import replace

import psycopg
import pytest
from alembic.operations import Operations
from hypothesis import HealthCheck, given, settings

from tests.acceptance.test_exact_undo_property import KEY, POLICY, Drawn, _edit, _excess, _make, drawn
from tests.acceptance.test_exact_undo_property import playground as playground  # noqa: PLC0414  the fixture
from tests.images import image_rows
from vaccine.operations.rows.shape import UpdateEffects, Watch
from vaccine.operations.table import TargetTable

EXAMPLES = int(os.environ.get("VACCINE_EXAMPLES", "25"))
COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
 WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
   AND attname NOT IN ('updated_at', 'closed')
"""  # what a clock stamps
JOURNAL = (
    "SELECT p.key, s.key, b.outcome, p.place = ANY (b.kept_rows), b.skipped_rows, b.images, b.plan, b.predicate"
    " FROM vaccine.journal AS b, jsonb_array_elements(b.primary_keys) WITH ORDINALITY AS p (key, place),"
    " jsonb_array_elements(b.survivors) WITH ORDINALITY AS s (key, place) WHERE s.place = p.place ORDER BY 1"
)
SUMS = (
    "SELECT sum(row_count), sum(restored_count),"
    " ARRAY(SELECT DISTINCT unnest(stamped_columns) FROM vaccine.journal ORDER BY 1) FROM vaccine.journal"
)


one_statement = Watch.begin


def each_row(watch: Watch, table: TargetTable) -> UpdateEffects:
    """What a table with a rule gets: each row is looked at."""
    return replace(one_statement(watch, table), rules=True)


def test_both_ways_end_in_the_same(
    playground: tuple[psycopg.Connection, Operations], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, operations = playground
    resolved = 0

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True
    )
    @given(example=drawn())
    def both_ways(example: Drawn) -> None:
        nonlocal resolved
        ends = []
        for way in (one_statement, each_row):
            monkeypatch.setattr(Watch, "begin", way)
            ends.append(_there_and_back(connection, operations, example))
        assert ends[0] == ends[1]
        resolved += len(ends[0][-1])

    both_ways()
    assert resolved > 0


def _there_and_back(connection: psycopg.Connection, operations: Operations, example: Drawn) -> list[list[tuple]]:
    """The rows after up and after down, the images, the journal."""
    _make(connection, example)
    closed = {"closed": {"sql": "now()"}} if example.assign_now else {}
    some = _excess(connection) > 0
    operations.resolve_duplicates(**KEY, **{**POLICY, "assign": {**POLICY["assign"], **closed}})
    found = [_rows(connection, "subject")]
    _edit(connection, example)
    operations.restore_duplicates(**KEY, plan="p")
    found.append(_rows(connection, "subject"))
    if not some:
        return [*found, []]
    return [*found, _images(connection), connection.execute(SUMS).fetchall(), connection.execute(JOURNAL).fetchall()]


def _images(connection: psycopg.Connection) -> list[tuple]:
    pairs = image_rows(connection).values()
    return sorted(tuple(str({**image, "updated_at": None, "closed": None}) for image in pair) for pair in pairs)


def _rows(connection: psycopg.Connection, table: str) -> list[tuple]:
    row = connection.execute(COLUMNS, (table,)).fetchone()
    assert row is not None
    return connection.execute(f"SELECT ROW({row[0]})::text FROM {table} ORDER BY 1").fetchall()
