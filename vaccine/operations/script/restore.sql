    v_oid oid := pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_table));
    v_source text;
    v_job record;
    v_meta text[];
    v_columns text[];
    v_compared text;
    v_unedited text;
    v_same text;
    v_new text;
    v_carried text;
    v_changed text[];
    v_stamped text[];
    v_places integer[];
    v_lost text;
    v_may_silence boolean;
    v_total bigint := 0;
    v_kept bigint := 0;
BEGIN
    IF pg_catalog.to_regclass('vaccine.journal') IS NULL THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = 'vaccine.journal'::pg_catalog.regclass AND attname = 'shared_columns') THEN
        {later};
    END IF;
    SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || pg_catalog.format('%I.%I', v_schema, v_table)
      INTO v_source
      FROM pg_catalog.pg_class c
     WHERE c.oid = v_oid AND c.relkind IN ('r', 'p');
    IF v_source IS NULL THEN
        RAISE EXCEPTION 'vaccine: there is no table %.%; nothing was changed', v_schema, v_table;
    END IF;
    -- Writers of the table wait from here to the COMMIT; readers do not. `alembic downgrade` without --sql does without.
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v_source);

    FOR v_job IN
        SELECT j.batch, j.images, j.shared_columns, j.row_count, j.restore_cursor, j.skipped_rows, i.primary_key
          FROM vaccine.journal j
          JOIN vaccine.image_tables i USING (images)
         WHERE j.plan = v_plan AND j.schema_name = v_schema AND j.table_name = v_table AND j.key_columns = v_key_columns
           AND j.predicate IS NOT DISTINCT FROM v_where AND j.outcome IN ('resolved', 'restoring')
         ORDER BY j.batch DESC
    LOOP
        SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attnum) INTO v_lost
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = pg_catalog.to_regclass('vaccine.' || v_job.images) AND a.attnum > 3 AND NOT a.attisdropped
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute t
                            WHERE t.attrelid = v_oid AND t.attnum > 0 AND NOT t.attisdropped AND t.attname = a.attname
                              AND (t.atttypid, t.atttypmod, t.attcollation) = (a.atttypid, a.atttypmod, a.attcollation));
        IF v_lost IS NOT NULL THEN
            RAISE EXCEPTION 'vaccine: columns that the journal holds are gone from %.% or have another type: %; nothing was changed', v_schema, v_table, v_lost
                USING HINT = 'give the table those columns again (a renamed one: rename it back)';
        END IF;
        SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) INTO v_meta
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = pg_catalog.to_regclass('vaccine.' || v_job.images) AND a.attnum BETWEEN 1 AND 3;
        -- What can be set, and what is compared: the columns that the journal holds.
        SELECT pg_catalog.array_agg(t.attname::text ORDER BY a.attnum) FILTER (WHERE t.attgenerated = '' AND t.attidentity <> 'a'),
               pg_catalog.string_agg(pg_catalog.format('%I', t.attname), ', ' ORDER BY a.attnum) FILTER (WHERE t.attgenerated <> 'v'),
               pg_catalog.format('pg_catalog.record_image_eq(ROW(%s), ROW(%s))',
                   pg_catalog.string_agg(pg_catalog.format('t.%I', t.attname), ', ' ORDER BY a.attnum) FILTER (WHERE t.attgenerated <> 'v'),
                   pg_catalog.string_agg(pg_catalog.format('a.%I', t.attname), ', ' ORDER BY a.attnum) FILTER (WHERE t.attgenerated <> 'v'))
          INTO v_columns, v_compared, v_unedited
          FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_attribute t ON t.attrelid = v_oid AND t.attname = a.attname AND t.attnum > 0 AND NOT t.attisdropped
         WHERE a.attrelid = pg_catalog.to_regclass('vaccine.' || v_job.images) AND a.attnum > 3 AND NOT a.attisdropped;
        IF EXISTS ({keyless}) THEN
            RAISE EXCEPTION 'vaccine: no valid unique index of %.% says any more that (%) are unique, by which the journal knows rows; nothing was changed', v_schema, v_table, pg_catalog.array_to_string(v_job.primary_key, ', ');
        END IF;
        IF NOT v_job.shared_columns <@ v_columns THEN
            RAISE EXCEPTION 'vaccine: % of %.% became GENERATED since, which no UPDATE may set; nothing was changed', v_job.shared_columns, v_schema, v_table
                USING HINT = 'make it a plain column again';
        END IF;
        SELECT pg_catalog.string_agg(pg_catalog.format('%s of %s (ON UPDATE %s) refers to %s of %s', c.name, c.source, c.action, c.columns, c.referred), '; ')
          INTO v_carried
          FROM ({carried_on}) AS c (name, source, referred, action, columns);
        IF v_carried IS NOT NULL THEN
            RAISE EXCEPTION 'vaccine: foreign keys carry old values on to rows that no journal keeps: %; nothing was changed', v_carried
                USING HINT = 'make them ON UPDATE NO ACTION first, or see to those rows by hand';
        END IF;
        SELECT pg_catalog.string_agg(pg_catalog.format('t.%1$I = b.%1$I', u.name), ' AND ' ORDER BY u.place) INTO v_same
          FROM pg_catalog.unnest(v_job.primary_key) WITH ORDINALITY AS u(name, place);

        -- Where rows share what was set, the new image of the batch's first row stands for all.
        v_new := pg_catalog.format('vaccine.%I', v_job.images);
        IF pg_catalog.cardinality(v_job.shared_columns) > 0 THEN
            SELECT pg_catalog.format('(SELECT i.%1$I, i.%2$I, ''after'' AS %3$I, %4$s FROM %5$s AS i WHERE i.%1$I = %6$s AND i.%3$I = ''before'')',
                       v_meta[1], v_meta[2], v_meta[3],
                       pg_catalog.string_agg(pg_catalog.format(
                           CASE WHEN a.attname::text = ANY (v_job.shared_columns)
                                THEN '(SELECT o.%1$I FROM %2$s AS o WHERE o.%3$I = %4$s AND o.%5$I = 1 AND o.%6$I = ''after'') AS %1$I'
                                ELSE 'i.%1$I' END,
                           a.attname, v_new, v_meta[1], v_job.batch, v_meta[2], v_meta[3]), ', ' ORDER BY a.attnum),
                       v_new, v_job.batch)
              INTO v_new
              FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = pg_catalog.to_regclass(v_new) AND a.attnum > 3 AND NOT a.attisdropped;
        END IF;

        -- The rows that are still as they were left, and the columns in which their two images differ.
        EXECUTE pg_catalog.format(
            'SELECT coalesce(pg_catalog.array_agg(b.%2$I), ''{}''), ARRAY(SELECT d.name FROM (VALUES %3$s) AS d(name, differs) WHERE d.differs) '
            'FROM vaccine.%1$I AS b JOIN %12$s AS a ON a.%4$I = b.%4$I AND a.%2$I = b.%2$I JOIN %5$s AS t ON %6$s '
            'WHERE b.%4$I = %7$s AND b.%8$I = ''before'' AND a.%8$I = ''after'' AND (b.%2$I > %9$s OR b.%2$I = ANY (%10$L)) AND %11$s',
            v_job.images, v_meta[2],
            (SELECT pg_catalog.string_agg(pg_catalog.format('(%L, pg_catalog.bool_or(NOT pg_catalog.record_image_eq(ROW(b.%I), ROW(a.%I))))', c, c, c), ', ') FROM pg_catalog.unnest(v_columns) AS u(c)),
            v_meta[1], v_source, v_same, v_job.batch, v_meta[3], v_job.restore_cursor, v_job.skipped_rows, v_unedited, v_new)
           INTO v_places, v_changed;
        v_stamped := '{}';
        IF pg_catalog.cardinality(v_places) > 0 AND pg_catalog.cardinality(v_changed) > 0 THEN
            FOR v_attempt IN 1..2 LOOP
                EXECUTE pg_catalog.format(
                    'UPDATE %s AS t SET %s FROM vaccine.%I AS b WHERE %s AND b.%I = %s AND b.%I = ''before'' AND b.%I = ANY (%L)',
                    v_source,
                    (SELECT pg_catalog.string_agg(pg_catalog.format('%1$I = b.%1$I', c), ', ') FROM pg_catalog.unnest(v_changed) AS u(c)),
                    v_job.images, v_same, v_meta[1], v_job.batch, v_meta[3], v_meta[2], v_places);
                SET CONSTRAINTS ALL IMMEDIATE;
                IF v_attempt = 2 THEN
                    PERFORM pg_catalog.set_config('session_replication_role', 'origin', true);
                END IF;
                EXECUTE pg_catalog.format(
                    'SELECT ARRAY(SELECT d.name FROM (VALUES %s) AS d(name, differs) WHERE d.differs) '
                    'FROM vaccine.%I AS b JOIN %s AS t ON %s WHERE b.%I = %s AND b.%I = ''before'' AND b.%I = ANY (%L)',
                    (SELECT pg_catalog.string_agg(pg_catalog.format('(%L, pg_catalog.bool_or(NOT pg_catalog.record_image_eq(ROW(b.%I), ROW(t.%I))))', c, c, c), ', ') FROM pg_catalog.unnest(v_columns) AS u(c)),
                    v_job.images, v_source, v_same, v_meta[1], v_job.batch, v_meta[3], v_meta[2], v_places)
                   INTO v_stamped;
                EXIT WHEN v_attempt = 2 OR pg_catalog.cardinality(v_stamped) = 0;
                -- A trigger stamped these columns: once more with triggers silent, where this role may and no foreign key is touched.
                v_changed := v_stamped;
                SELECT NOT ({not_silenceable}) INTO v_may_silence;
                IF pg_catalog.current_setting('server_version_num')::integer >= 150000 THEN
                    EXECUTE 'SELECT $1 AND pg_catalog.has_parameter_privilege(''session_replication_role'', ''SET'')' INTO v_may_silence USING v_may_silence;
                ELSE
                    SELECT v_may_silence AND r.rolsuper INTO v_may_silence FROM pg_catalog.pg_roles r WHERE r.rolname = current_user;
                END IF;
                EXIT WHEN NOT v_may_silence;
                PERFORM pg_catalog.set_config('session_replication_role', 'replica', true);
            END LOOP;
        END IF;
        UPDATE vaccine.journal j
           SET restored_count = j.restored_count + pg_catalog.cardinality(v_places),
               kept_rows = j.kept_rows || ARRAY(SELECT p FROM pg_catalog.generate_series(1, j.row_count) AS g(p)
                                                 WHERE (p > j.restore_cursor OR p = ANY (j.skipped_rows)) AND p <> ALL (v_places)),
               stamped_columns = v_stamped, restore_cursor = j.row_count, skipped_rows = '{}', outcome = 'restored',
               restored_at = pg_catalog.clock_timestamp()
         WHERE j.batch = v_job.batch;
        v_total := v_total + pg_catalog.cardinality(v_places);
        IF pg_catalog.cardinality(v_stamped) > 0 THEN
            RAISE WARNING 'vaccine: a trigger of %.% stamped % on restored rows; the old values are in the journal', v_schema, v_table, v_stamped;
        END IF;
    END LOOP;
    SELECT coalesce(pg_catalog.sum(pg_catalog.cardinality(j.kept_rows)), 0) INTO v_kept
      FROM vaccine.journal j
     WHERE j.plan = v_plan AND j.schema_name = v_schema AND j.table_name = v_table AND j.restored_at >= pg_catalog.now();
    RAISE NOTICE 'vaccine: restored % rows of %.%; % changed since, left as found', v_total, v_schema, v_table, v_kept;
    IF v_strict AND v_kept > 0 THEN
        RAISE EXCEPTION 'vaccine: % rows of %.% were changed since they were resolved; nothing was changed', v_kept, v_schema, v_table;
    END IF;
END
