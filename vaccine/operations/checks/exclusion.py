"""An exclusion constraint over an assigned column: whether a row would violate it, the trial UPDATE says."""

from __future__ import annotations

from .model import Check, Stage, of_table

CHECK = Check(
    "exclusion",
    "the exclusion constraint {name}, {definition}, reads {columns}: a row that is resolved may come to "
    "overlap another",
    "the trial of one row a group met none; see the others first, or assign what keeps them apart",
    of_table(
        """SELECT x.conname AS name, pg_catalog.pg_get_constraintdef(x.oid) AS definition,
       pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns
  FROM pg_catalog.pg_constraint AS x
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.conrelid AND a.attname = ANY ({assigned}) AND NOT a.attisdropped
 WHERE x.contype = 'x' AND x.conrelid = (SELECT c.oid FROM {target})
   AND (a.attnum = ANY (x.conkey) OR EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = x.conindid
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = x.conrelid
           AND d.refobjsubid = a.attnum))
 GROUP BY x.oid, x.conname
 ORDER BY x.conname"""
    ),
    Stage.ROWS,
    blocking=False,
)
