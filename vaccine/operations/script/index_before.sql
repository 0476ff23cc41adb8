    v_state text;
BEGIN
    {state}
    IF v_state = 'other' OR v_state IS NULL AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_name)) IS NOT NULL THEN
        RAISE EXCEPTION 'vaccine: the name % is taken in schema %, by a relation that is not this index; nothing was changed', v_name, v_schema
            USING HINT = 'drop or rename that, or choose another name in the revision';
    END IF;
    -- The leftover of a build that failed goes aside, for the DROP INDEX CONCURRENTLY that follows: no condition can
    -- stand before that one. A rename takes SHARE UPDATE EXCLUSIVE, for which neither readers nor writers wait.
    IF v_state = 'invalid' AND v_aside IS NOT NULL THEN
        EXECUTE pg_catalog.format('ALTER INDEX %I.%I RENAME TO %I', v_schema, v_name, v_aside);
        RAISE NOTICE 'vaccine: %.% is the INVALID leftover of an earlier build, and is built anew', v_schema, v_name;
    END IF;
END
