    v_why record;
BEGIN
    FOR v_why IN SELECT w.reason, w.way_out FROM (
        {stamp}
    ) AS w (reason, way_out)
    LOOP
        RAISE EXCEPTION USING MESSAGE = v_refused, DETAIL = v_why.reason, HINT = v_why.way_out;
    END LOOP;
    IF pg_catalog.to_regclass('vaccine.vaccination') IS NOT NULL THEN
        {adopt};
        FOR v_why IN SELECT w.reason, w.way_out FROM (
{queries}
        ) AS w (reason, way_out)
        LOOP
            RAISE EXCEPTION USING MESSAGE = v_refused, DETAIL = v_why.reason, HINT = v_why.way_out;
        END LOOP;
    END IF;
END
