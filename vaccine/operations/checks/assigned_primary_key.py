"""Rows are found again by their primary key: it must stay."""

from __future__ import annotations

from .model import Check, of_table

CHECK = Check(
    "primary-key-assigned",
    "the column {name} is in the primary key, by which rows are found again",
    "assign another one",
    of_table(
        """SELECT a.attname AS name
  FROM pg_catalog.pg_index AS i
 CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indrelid = (SELECT c.oid FROM {target}) AND i.indisprimary AND k.place <= i.indnkeyatts
   AND a.attname = ANY ({assigned})
 ORDER BY k.place"""
    ),
    halts=True,
)
