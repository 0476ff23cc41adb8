BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
         WHERE i.indexrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_name))
           AND i.indrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_table))
           AND i.indisunique AND i.indisvalid AND i.indisready
           AND (i.indpred IS NOT NULL) = v_partial
           AND v_columns = ARRAY(SELECT a.attname::text
                                   FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
                                   JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                                  ORDER BY k.place)) THEN
        RAISE EXCEPTION 'vaccine: the unique index %.% is missing, INVALID or another one; the revision is not stamped', v_schema, v_name
            USING HINT = pg_catalog.format('see the errors above; then DROP INDEX CONCURRENTLY IF EXISTS %I.%I; and run this script again', v_schema, v_name);
    END IF;
END
