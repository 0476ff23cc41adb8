    v_state text;
    v_now text;
BEGIN
    {look}
    IF v_state = 'other' OR v_state IS NULL AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_name)) IS NOT NULL THEN
        RAISE EXCEPTION 'vaccine: the name % is taken in schema % by another relation than this index; nothing was changed', v_name, v_schema
            USING HINT = 'it was left alone: rename it, give the index its name back, then run this script again in a new session';
    END IF;
    IF pg_catalog.to_regclass('vaccine.vaccination') IS NOT NULL THEN
        SELECT c.relname INTO v_now
          FROM ({records}) AS r
          JOIN pg_catalog.pg_index AS x ON x.indexrelid = r.index_oid
                                       AND x.indrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_table))
          JOIN pg_catalog.pg_class AS c ON c.oid = x.indexrelid AND c.relname <> v_name
         WHERE r.undone_at IS NULL;
        IF FOUND THEN
            RAISE EXCEPTION 'vaccine: the index % was renamed to %; nothing was changed', v_name, v_now
                USING HINT = pg_catalog.format('ALTER INDEX %I.%I RENAME TO %I, then run this script again in a new session', v_schema, v_now, v_name);
        END IF;
    END IF;
END
