    v_state text;
BEGIN
    {look}
    -- The leftover of a build that failed goes aside, for the DROP INDEX CONCURRENTLY that follows: no condition can
    -- stand before that one. A rename takes SHARE UPDATE EXCLUSIVE, for which neither readers nor writers wait.
    IF v_state = 'invalid' THEN
        EXECUTE pg_catalog.format('ALTER INDEX %I.%I RENAME TO %I', v_schema, v_name, v_aside);
        RAISE NOTICE 'vaccine: %.% is the INVALID leftover of an earlier build, and is built anew', v_schema, v_name;
    END IF;
END
