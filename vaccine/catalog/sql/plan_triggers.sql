-- The triggers of one table that fire for its writers, internal ones left out.
SELECT t.tgname::text AS name,
       pg_catalog.pg_get_triggerdef(t.oid) AS definition,
       t.tgenabled::text AS enabled,
       (t.tgtype & 16) <> 0 AS on_update
  FROM pg_catalog.pg_trigger t
 WHERE t.tgrelid = %(oid)s
   AND (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0)
 ORDER BY t.tgname;
