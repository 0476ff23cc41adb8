BEGIN
    FOR v_try IN 1..v_tries LOOP
        BEGIN
            DECLARE
{body};
            EXIT;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            -- All that this try did is undone, and its locks are free.
            IF v_try = v_tries THEN
                RAISE EXCEPTION USING
                    ERRCODE = SQLSTATE,
                    MESSAGE = pg_catalog.format('vaccine: could not get the locks on %s.%s in %s tries of %s each; nothing was changed',
                        v_schema, v_table, v_tries, pg_catalog.current_setting('lock_timeout')),
                    DETAIL = coalesce('held by ' || (
                        SELECT pg_catalog.string_agg(CASE WHEN h.pid IS NULL THEN pg_catalog.format('prepared transaction %L (user %s)', h.transaction, h.user)
                                   ELSE pg_catalog.format('%s pid %s (application %s, user %s, %s, open for %s s)', h.kind, h.pid,
                                       coalesce(nullif(h.application, ''), 'unnamed'), coalesce(h.user, 'unknown'),
                                       coalesce(h.state, 'hidden from this role'), round(h.age_s::numeric, 1)) END, '; ' ORDER BY h.age_s DESC NULLS LAST)
                          FROM ({holders}) AS h
                         WHERE h.kind <> 'reader'), SQLERRM),
                    HINT = 'end the session that holds the lock (SELECT pg_terminate_backend(pid)) or wait for it, then run this script again in a new session; '
                           '-x vaccine.lock_timeout_ms and -x vaccine.lock_tries of `alembic ... --sql` allow longer and more tries';
            END IF;
            PERFORM pg_catalog.pg_sleep(least(2, 0.05 * 2 ^ least(v_try - 1, 10)) * (0.5 + pg_catalog.random() / 2));
        END;
    END LOOP;
END
