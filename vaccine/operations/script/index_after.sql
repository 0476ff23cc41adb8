    v_state text;
BEGIN
    {look}
    IF v_state IS DISTINCT FROM 'valid' THEN
        RAISE EXCEPTION 'vaccine: the unique index %.% is missing, INVALID or another one; the revision is not stamped', v_schema, v_name
            USING HINT = 'see the errors above, remove the cause, and run this script again in a new session: it removes what its build left';
    END IF;
END
