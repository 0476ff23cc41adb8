"""What a restore did, for the DBA: every row is restored, kept, lost, or could not go back, and is counted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg

from ..key import Key
from .restore_rows import Piece

SHOWN = 20

KEPT = """
SELECT j.primary_keys -> (k.place - 1)
  FROM vaccine.journal j CROSS JOIN LATERAL unnest(j.kept_rows) AS k (place)
 WHERE j.batch = ANY (%s)
 ORDER BY j.batch, k.place
 LIMIT %s
"""

NAMED = """
SELECT o.batch, o.place, j.primary_keys -> (o.place - 1)
  FROM ROWS FROM (pg_catalog.unnest(%s::bigint[]), pg_catalog.unnest(%s::integer[])) AS o (batch, place)
  JOIN vaccine.journal j USING (batch)
"""


@dataclass
class Restored:
    """What a restore did. `kept_keys` are primary keys of rows that were changed since, the first few of them.

    `stuck` are rows that could not go back, by batch and place, each with the reason; `stuck_keys` names the first few.
    """

    rows: int = 0
    batches: list[int] = field(default_factory=list)
    kept: int = 0
    kept_keys: list[str] = field(default_factory=list)
    stamped: set[str] = field(default_factory=set)
    stuck: dict[tuple[int, int], str] = field(default_factory=dict)
    stuck_keys: dict[tuple[int, int], str] = field(default_factory=dict)
    elsewhere: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: int = 0

    def take(self, piece: Piece) -> None:
        """Add what became of some rows."""
        self.rows += len(piece.restored)
        self.kept += len(piece.kept)
        self.stamped |= piece.stamped

    def take_stuck(self, batch: int, places: Mapping[int, str]) -> None:
        """Add rows that could not go back."""
        self.stuck |= {(batch, place): why for place, why in places.items()}

    def name_rows(self, connection: psycopg.Connection) -> None:
        """Look up the primary keys of the first rows that were kept or could not go back."""
        if self.kept:
            rows = connection.execute(KEPT, (self.batches, SHOWN)).fetchall()
            self.kept_keys = ["/".join(map(str, row[0])) for row in rows]
        self.stuck_keys = named(connection, list(self.stuck)[:SHOWN])

    def lines(self, key: Key) -> list[str]:
        """What the DBA reads."""
        table = f"{key.schema}.{key.table}"
        if not self.batches and not self.lost:
            return [f"restored nothing: the journal holds no resolved rows of {key} for this plan"]
        lines = [self.restored_line(key)]
        if self.kept:
            more = ", …" if self.kept > len(self.kept_keys) else ""
            lines.append(
                f"{_rows(self.kept)} of {table} changed or deleted since, left as found: "
                f"{', '.join(self.kept_keys)}{more}; their old images stay in the journal (`vaccine journal`)"
            )
        if self.stamped:
            lines.append(
                f"a trigger of {table} stamped {', '.join(sorted(self.stamped))} on restored rows, and this role may "
                "not silence it; the old values are in the journal (`vaccine journal`)"
            )
        if self.elsewhere:
            told = ", ".join(f"{name} ({count} {did})" for (name, did), count in sorted(self.elsewhere.items()))
            lines.append(f"triggers of {table} changed rows of other tables on the way back, which stay so: {told}")
        lines += self._stuck_lines(table)
        if self.lost:
            lines.append(f"{_rows(self.lost)} of {table} stay as they are: what would restore them is gone")
        return [*lines, self.last_line()]

    def restored_line(self, key: Key) -> str:
        """The first line."""
        return f"restored {_rows(self.rows)} of {key.schema}.{key.table}"

    def last_line(self) -> str:
        """All rows, counted."""
        lost = f", lost {self.lost} (their images are gone)" if self.lost else ""
        told = f"restored {self.rows}, kept {self.kept} (edited since), could not go back {len(self.stuck)}"
        return told + lost

    def stuck_reasons(self) -> list[str]:
        """Why rows could not go back: each reason with its rows, the first few named."""
        reasons: dict[str, list[tuple[int, int]]] = {}
        for at, why in self.stuck.items():
            reasons.setdefault(why, []).append(at)
        told = []
        for why, rows in reasons.items():
            keys = [self.stuck_keys[at] for at in rows if at in self.stuck_keys]
            more = ", …" if len(rows) > len(keys) else ""
            told.append(f"{_rows(len(rows))} ({', '.join(keys)}{more}): {why}")
        return told

    def _stuck_lines(self, table: str) -> list[str]:
        return [f"could not go back, of {table}: {reason}" for reason in self.stuck_reasons()]


def named(connection: psycopg.Connection, rows: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """The primary keys of rows of the journal, by batch and place."""
    if not rows:
        return {}
    batches, places = zip(*rows, strict=True)
    found = connection.execute(NAMED, (list(batches), list(places))).fetchall()
    return {(batch, place): "/".join(map(str, key)) for batch, place, key in found}


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"
