"""Random journals with images missing, rows edited and rows refused: nothing is said to be restored that is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.test_dedupe import KEY, POLICY
from tests.integration.test_dedupe import run as run  # noqa: PLC0414  the fixture
from vaccine.operations.checks.way_back import before_restore
from vaccine.operations.errors import RestoreError
from vaccine.operations.index.verify import verify_restored
from vaccine.operations.options import Options
from vaccine.operations.rows.resolve import resolve
from vaccine.operations.rows.restore import restore
from vaccine.operations.session.run import Run
from vaccine.operations.table import read_table

ROWS = 60  # 20 groups of 3
STAMP = """
CREATE OR REPLACE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN NEW.seen := NEW.seen + 1; RETURN NEW; END';
CREATE TRIGGER stamp BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION stamp();
"""
FORBID = """
CREATE OR REPLACE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN IF NEW.state = ''open'' AND NEW.id = ANY (''{}''::integer[]) THEN RAISE ''no''; END IF; RETURN NEW; END';
CREATE TRIGGER forbid AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION forbid();
"""
ids = st.sets(st.integers(1, 40), max_size=6)


@dataclass(frozen=True)
class Damage:
    """Ids of resolved rows; `batches` are places in the order of batches."""

    stamped: bool
    old_gone: frozenset[int]
    new_gone: frozenset[int]
    edited: frozenset[int]
    refused: frozenset[int]
    batches: frozenset[int]


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    sets = [frozenset(draw(ids)) for _ in range(4)]
    return Damage(draw(st.booleans()), *sets, frozenset(draw(st.sets(st.integers(0, 3), max_size=1))))


def rows(run: Run) -> dict[int, tuple[object, ...]]:
    return {row[0]: row for row in run.worker.execute("SELECT id, code, state, seen FROM jobs").fetchall()}


def break_it(run: Run, damage: Damage) -> dict[int, bool]:
    """Do the damage. For each resolved row whether what restores it is still there."""
    worker = run.worker
    places = {
        int(key[0]): (batch, place)
        for batch, keys in worker.execute("SELECT batch, primary_keys FROM vaccine.journal").fetchall()
        for place, key in enumerate(keys, 1)
    }
    order = sorted({batch for batch, _ in places.values()})
    gone = {order[n] for n in damage.batches if n < len(order)}
    for image, which in (("before", damage.old_gone), ("after", damage.new_gone)):
        for each in which:
            worker.execute(
                "DELETE FROM vaccine.images_1 WHERE (vaccine_batch, vaccine_row, vaccine_image) = (%s, %s, %s)",
                (*places[each], image),
            )
    worker.execute("DELETE FROM vaccine.journal WHERE batch = ANY (%s)", (list(gone),))
    held = {}
    for each, (batch, _) in places.items():
        spared = not damage.stamped or each not in damage.new_gone  # a shared new image is known from the record
        held[each] = batch not in gone and each not in damage.old_gone and spared
    return held


@given(damages())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_row_is_accounted_for(run: Run, damage: Damage) -> None:
    worker = run.worker
    worker.execute("DROP SCHEMA IF EXISTS vaccine CASCADE; DROP TRIGGER IF EXISTS stamp ON jobs; TRUNCATE jobs")
    worker.execute("DROP TRIGGER IF EXISTS forbid ON jobs")
    worker.execute("INSERT INTO jobs SELECT n, 'c' || n %% 20, 'open', n FROM generate_series(1, %s) AS n", (ROWS,))
    if damage.stamped:
        worker.execute(STAMP)
    first = rows(run)
    table = read_table(worker, KEY)
    assert table is not None
    assert resolve(run, KEY, POLICY, table).rows == 40
    held = break_it(run, damage)
    worker.execute("UPDATE jobs SET code = code || '!' WHERE id = ANY (%s)", (list(damage.edited),))
    worker.execute(FORBID.format("{" + ",".join(map(str, damage.refused)) + "}"))
    before = rows(run)
    if not all(held.values()):
        with pytest.raises(RestoreError, match="cannot be restored: what it takes is lost"):
            before_restore(run, KEY, "p1")
        assert rows(run) == before
    told = replace(run, options=Options(restore="lost"))
    table, found = before_restore(told, KEY, "p1")
    assert table is not None
    done = restore(told, KEY, "p1", table, found)
    verify_restored(told, KEY, "p1", len(done.stuck))
    kept = {each for each, there in held.items() if there and each in damage.edited}
    stuck = {each for each, there in held.items() if there and each not in kept and each in damage.refused}
    back = {each for each, there in held.items() if there and each not in kept | stuck}
    assert (done.rows, done.kept, len(done.stuck)) == (len(back), len(kept), len(stuck))
    assert done.rows + done.kept + len(done.stuck) + done.lost == 40
    now = rows(run)
    assert {each for each in held if now[each] == first[each]} == back
    assert {each: now[each] for each in now if each not in back} == {
        each: before[each] for each in before if each not in back
    }
    counted = worker.execute(
        "SELECT coalesce(sum(restored_count), 0), coalesce(sum(cardinality(skipped_rows)), 0) FROM vaccine.journal"
    ).fetchone()
    assert counted == (len(back), len(stuck))
