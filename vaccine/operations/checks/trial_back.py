"""Rows put back and taken back again, one a group, while the index still stands: what triggers say shows in no catalog.

A row that comes back meets the very index that is to be dropped, once BEFORE triggers, NOT NULL and CHECK have let it
pass: that violation alone says that it would go. What fires later than the index cannot be tried; the restore isolates
those rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
from psycopg import errors

from ..rows.resolve import batch_settings
from ..rows.restore import is_of_a_row, may_change_late
from ..rows.restore_rows import NotRestoredError
from ..rows.restorer import Restorer
from ..rows.shape import Watch, read_shape
from ..session.run import Run
from ..table import TargetTable
from .obstacles import Obstacle, Row

MOST_TRIED = 30

# One row for each survivor of a batch.
GROUPS = """
SELECT min(s.place)::integer
  FROM vaccine.journal AS j
 CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(j.survivors) WITH ORDINALITY AS s (survivor, place)
 WHERE j.batch = %s AND s.place = ANY (%s)
 GROUP BY s.survivor
 ORDER BY 1
 LIMIT %s
"""


def trial_back(run: Run, table: TargetTable, some: Sequence[Restorer], index: str | None) -> list[Obstacle]:
    """Why rows that were tried would not go back. Nothing is tried where nothing interferes with an UPDATE."""
    shape = read_shape(run.worker, table)
    if not shape.meddles and not any(column.generated for column in table.columns):
        return []
    watch = Watch(run.worker, batch_settings(run))
    met: dict[str, list[Row]] = {}
    tried = 0
    for restorer, place in _one_a_group(run.worker, some):
        tried += 1
        if why := _why_not(run, watch, restorer, place, index):
            met.setdefault(why, []).append((restorer.batch, place))
    return [Obstacle(why, rows, tried) for why, rows in met.items()]


def _one_a_group(connection: psycopg.Connection, some: Sequence[Restorer]) -> Iterator[tuple[Restorer, int]]:
    left = MOST_TRIED
    for restorer in some:
        if not left:
            return
        rows = connection.execute(GROUPS, (restorer.batch, restorer.pending, left)).fetchall()
        left -= len(rows)
        yield from ((restorer, row[0]) for row in rows)


def _why_not(run: Run, watch: Watch, restorer: Restorer, place: int, index: str | None) -> str | None:
    """Why a row would not go back, set as a whole or with nothing but what was assigned; None where it would."""
    told = None
    for narrow in (False, True):
        try:
            with watch.transaction(restorer.images.table) as shape:
                rows = restorer.looked_at(shape, late=may_change_late(run.worker, shape))
                rows.restore([place], skip=True, narrow=narrow)
                raise _TakenBackError
        except _TakenBackError:
            return None
        except NotRestoredError as error:
            return error.why
        except errors.UniqueViolation as error:
            if error.diag.constraint_name == index:
                return None
            told = told or _first_line(error)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            return None
        except psycopg.Error as error:
            if not is_of_a_row(error):
                raise
            told = told or _first_line(error)
        if not restorer.assigned:
            break
    return told


class _TakenBackError(Exception):
    """Ends a trial: whatever it did is rolled back."""


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0]
