-- Foreign keys that refer to columns of one table: what an UPDATE of these columns does to the rows that refer.
SELECT f.conname::text AS name,
       f.conrelid::pg_catalog.regclass::text AS source,
       f.confupdtype::text AS on_update,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum
              ORDER BY k.place) AS columns
  FROM pg_catalog.pg_constraint f
 WHERE f.confrelid = %(oid)s
   AND f.contype = 'f'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint up
                    WHERE up.oid = f.conparentid AND up.confrelid = f.confrelid)
 ORDER BY 2, 1;
