"""A row that is live after the assignment too is not retired."""

from __future__ import annotations

from .model import Check, Stage
from .of_rows import COUNT, NONE, of_rows

CHECK = Check(
    "still-live",
    "rows would be live still after {columns} is assigned, so that they would not be resolved",
    "choose --assign so that a row no longer satisfies the predicate; where every row is live, give --where too",
    of_rows(
        f"""SELECT pg_catalog.array_to_string({{assigned}}, ', ') AS columns, ARRAY[pg_catalog.concat(
       {COUNT}, '(', p.after, ') AS ', pg_catalog.quote_ident(p.relname), ' WHERE ', {{live}}, {NONE})] AS statements
  FROM p"""
    ),
    Stage.ROWS,
    probe=True,
    ignores=("42", "22", "23"),
)
