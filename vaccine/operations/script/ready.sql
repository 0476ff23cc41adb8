    v_other text;
BEGIN
    IF pg_catalog.current_setting('vaccine.session', true) IS DISTINCT FROM pg_catalog.pg_backend_pid()::text THEN
        RAISE EXCEPTION 'vaccine: this script changed its server session half-way; nothing was changed'
            USING HINT = 'a pooler in transaction mode is between: connect to the server itself, and run all of the script in one session';
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_trigger AS t
                WHERE t.tgrelid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_table)) AND t.tgname = ANY (v_gates)) THEN
        RAISE EXCEPTION 'vaccine: a run that was killed left its gate on %.%; nothing was changed', v_schema, v_table
            USING HINT = 'run alembic upgrade or downgrade without --sql, which takes it down; or DROP TRIGGER ' || pg_catalog.array_to_string(v_gates, ' and ');
    END IF;
    IF pg_catalog.current_setting('vaccine.stopped')::boolean THEN
        RAISE EXCEPTION 'vaccine: an earlier step of this script failed, so this one and the stamp are left out'
            USING HINT = 'see the first error above, remove its cause, and run the script again in a new session (this one is read-only now); '
                         'where there is none, default_transaction_read_only is on for this role or database: set it off';
    END IF;
    -- As an online run: its own session holds this lock until the operation's end.
    SELECT pg_catalog.format('pid %s (application %s, user %s)', l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), coalesce(a.usename, 'unknown'))
      INTO v_other
      FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
       AND l.classid::int8 = v_first::int8 & 4294967295 AND l.objid::int8 = v_second::int8 & 4294967295
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database());
    IF FOUND AND v_other LIKE 'pid ' || pg_catalog.pg_backend_pid() || ' %' THEN
        RETURN;
    END IF;
    IF v_other IS NOT NULL OR NOT pg_catalog.pg_try_advisory_lock(v_first, v_second) THEN
        RAISE EXCEPTION 'vaccine: another run is at work on %.%; nothing was changed', v_schema, v_table
            USING DETAIL = coalesce(v_other, 'it began at the same moment'),
                  HINT = 'wait for it to end, or end it; then run this script again in a new session';
    END IF;
END
