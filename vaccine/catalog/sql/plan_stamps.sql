-- The row triggers of one table that run on UPDATE: what their functions say, and whether this role may silence them.
SELECT t.tgname::text AS name,
       l.lanname::text AS language,
       p.prosrc AS source,
       pg_catalog.encode(t.tgargs, 'escape') AS arguments,
       t.tgenabled IN ('A', 'R') AS always
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
 WHERE t.tgrelid = %(oid)s
   AND (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0)
   AND t.tgenabled <> 'D'
   AND (t.tgtype & 1) <> 0
   AND (t.tgtype & 16) <> 0
 ORDER BY t.tgname;
