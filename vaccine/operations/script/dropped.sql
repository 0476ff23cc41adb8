BEGIN
    IF pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_name)) IS NOT NULL THEN
        RAISE EXCEPTION 'vaccine: the index %.% is still there; the downgrade is not stamped', v_schema, v_name
            USING HINT = 'see the errors above, remove the cause, and run this script again in a new session';
    END IF;
END
