"""A value that its column's type refuses: a domain's CHECK or NOT NULL, a cast that fails for some rows."""

from __future__ import annotations

from .model import Check, Stage
from .of_rows import of_rows

CHECK = Check(
    "value-refused",
    "the assignment of {columns} is refused by the type of a column",
    "choose another value with --assign",
    of_rows(
        """SELECT pg_catalog.array_to_string({assigned}, ', ') AS columns, ARRAY[pg_catalog.concat(
       'SELECT CASE WHEN ', (SELECT pg_catalog.string_agg(pg_catalog.format('pg_catalog.count(%I)', u.name), ' + ')
                               FROM pg_catalog.unnest({assigned}) AS u (name)),
       ' < 0 THEN '''' END FROM (', p.after, ') AS ', pg_catalog.quote_ident(p.relname))] AS statements
  FROM p WHERE pg_catalog.cardinality({assigned}) > 0 AND NOT p.meddled"""
    ),
    Stage.ROWS,
    probe=True,
    ignores=("42",),
)
