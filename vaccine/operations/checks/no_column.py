"""Columns that the key or the assignment names, and that the table has no more."""

from __future__ import annotations

from .model import Check, of_table

CHECK = Check(
    "no-column",
    "the table has no column {names}",
    "it was changed since the plan: run `vaccine plan` again",
    of_table(
        """SELECT pg_catalog.string_agg(w.name, ', ' ORDER BY w.place) AS names
  FROM (SELECT c.oid FROM {target}) AS c
 CROSS JOIN pg_catalog.unnest({columns} || {assigned}) WITH ORDINALITY AS w (name, place)
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                    WHERE a.attrelid = c.oid AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped)
HAVING pg_catalog.count(*) > 0"""
    ),
    halts=True,
)
