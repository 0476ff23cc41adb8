    v_valid boolean;
BEGIN
    SELECT i.indisvalid AND i.indisready INTO v_valid
      FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
     WHERE c.oid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_name));
    IF FOUND AND v_valid IS NOT TRUE THEN
        RAISE EXCEPTION 'vaccine: %.% exists and is no valid index', v_schema, v_name
            USING HINT = pg_catalog.format('if it is the leftover of a failed build: DROP INDEX CONCURRENTLY %I.%I; then run this script again', v_schema, v_name);
    END IF;
END
