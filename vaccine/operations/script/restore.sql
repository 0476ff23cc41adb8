    v_oid oid := pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_table));
    v_source text;
    v_plans text[] := '{}';
    v_recorded boolean := false;
    v_record record;
    v_job record;
    v_images text;
    v_meta text[];
    v_columns text[];
    v_unedited text;
    v_same text;
    v_before text;
    v_new text;
    v_held integer[];
    v_places integer[];
    v_edited integer[];
    v_changed text[];
    v_assigned text[];
    v_stamped text[];
    v_may_silence boolean;
    v_there bigint;
    v_left bigint := 0;
    v_total bigint := 0;
    v_kept bigint := 0;
    v_kept_keys text[] := '{}';
    v_lost bigint := 0;
    v_why text[] := '{}';
    v_reasons text[] := '{}';
    v_more text[];
BEGIN
    SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || pg_catalog.format('%I.%I', v_schema, v_table)
      INTO v_source
      FROM pg_catalog.pg_class c
     WHERE c.oid = v_oid AND c.relkind IN ('r', 'p');

    -- The record of the upgrade, the journal's batches, and an image for each row: each tells what the others must hold.
    IF pg_catalog.to_regclass('vaccine.journal') IS NOT NULL AND pg_catalog.to_regclass('vaccine.image_tables') IS NOT NULL THEN
        {complete}
        FOR v_record IN {records} LOOP
            v_recorded := true;
            CONTINUE WHEN v_record.undone_at IS NOT NULL;
            v_plans := v_plans || v_record.plan;
            SELECT greatest(0, v_record.resolved_rows - coalesce(pg_catalog.sum(j.row_count), 0)) INTO v_there
              FROM vaccine.journal j
             WHERE j.plan = v_record.plan AND j.schema_name = v_schema AND j.table_name = v_table AND j.key_columns = v_key_columns
               AND j.predicate IS NOT DISTINCT FROM v_where AND j.batch > v_record.after_batch;
            IF v_there > 0 THEN
                v_lost := v_lost + v_there;
                v_why := v_why || pg_catalog.format('the upgrade resolved %s rows, and vaccine.journal does not know %s of them any more: rows of it were deleted',
                    v_record.resolved_rows, v_there);
            END IF;
        END LOOP;
    END IF;
    IF NOT v_recorded THEN
        IF v_restore <> 'lost' THEN
            RAISE EXCEPTION 'vaccine: which rows of %.% were resolved is lost; nothing was changed', v_schema, v_table
                USING DETAIL = pg_catalog.format('vaccine.vaccination has no record of the upgrade %s: the schema vaccine was dropped, emptied, or left out of a dump, or the revision was stamped only', v_revision),
                      HINT = v_backup;
        END IF;
        RAISE NOTICE 'vaccine: there is no record of the upgrade %', v_revision;
        IF pg_catalog.to_regclass('vaccine.journal') IS NULL OR pg_catalog.to_regclass('vaccine.image_tables') IS NULL THEN
            RETURN;
        END IF;
    END IF;

    IF NOT v_dry THEN
        -- Writers of the table wait from here to the COMMIT; readers do not. `alembic downgrade` without --sql does without.
        EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v_source);
    END IF;
    FOR v_job IN
        SELECT j.batch, j.plan, j.images, j.shared_columns, j.row_count, j.restore_cursor, j.skipped_rows, i.primary_key,
               j.row_count - j.restore_cursor + pg_catalog.cardinality(j.skipped_rows) AS rows, j.primary_keys,
               CASE WHEN j.outcome = 'pruned' THEN 'pruned (`vaccine journal prune`)'
                    WHEN i.images IS NULL OR pg_catalog.to_regclass('vaccine.' || j.images) IS NULL THEN 'gone' END AS gone
          FROM vaccine.journal j LEFT JOIN vaccine.image_tables i USING (images)
         WHERE j.schema_name = v_schema AND j.table_name = v_table AND j.key_columns = v_key_columns
           AND j.predicate IS NOT DISTINCT FROM v_where AND j.outcome <> 'restored'
           AND (j.plan = ANY (v_plans) OR j.plan = v_plan OR v_plan IS NULL AND j.revision = v_revision)
         ORDER BY j.batch DESC
    LOOP
        v_left := v_left + v_job.rows;
        IF v_job.gone IS NOT NULL THEN
            v_lost := v_lost + v_job.rows;
            v_why := v_why || pg_catalog.format('the images of %s rows of batch %s in vaccine.%s are %s', v_job.rows, v_job.batch, v_job.images, v_job.gone);
            CONTINUE;
        END IF;

        -- How the table as it is now fits the images; once for all batches with the same.
        IF v_images IS DISTINCT FROM v_job.images || v_job.shared_columns::text THEN
            v_images := v_job.images || v_job.shared_columns::text;
            SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) INTO v_meta
              FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = pg_catalog.to_regclass('vaccine.' || v_job.images) AND a.attnum BETWEEN 1 AND 3;
            -- What can be set, and what is compared: the columns that the journal holds.
            SELECT pg_catalog.array_agg(t.attname::text ORDER BY a.attnum) FILTER (WHERE t.attgenerated = '' AND t.attidentity <> 'a'),
                   pg_catalog.format('pg_catalog.record_image_eq(ROW(%s), ROW(%s))',
                       pg_catalog.string_agg(pg_catalog.format('t.%I', t.attname), ', ' ORDER BY a.attnum) FILTER (WHERE t.attgenerated <> 'v'),
                       pg_catalog.string_agg(pg_catalog.format('a.%I', t.attname), ', ' ORDER BY a.attnum) FILTER (WHERE t.attgenerated <> 'v'))
              INTO v_columns, v_unedited
              FROM pg_catalog.pg_attribute a
              JOIN pg_catalog.pg_attribute t ON t.attrelid = v_oid AND t.attname = a.attname AND t.attnum > 0 AND NOT t.attisdropped
             WHERE a.attrelid = pg_catalog.to_regclass('vaccine.' || v_job.images) AND a.attnum > 3 AND NOT a.attisdropped;
            SELECT pg_catalog.string_agg(pg_catalog.format('t.%1$I = b.%1$I', u.name), ' AND ' ORDER BY u.place) INTO v_same
              FROM pg_catalog.unnest(v_job.primary_key) WITH ORDINALITY AS u (name, place);
            SELECT ARRAY(
                SELECT pg_catalog.format('column %s (%s) that the journal holds is gone from the table or has another type: %s', l.name, l.was,
                                         coalesce('it is ' || l.now, 'give it back (a renamed one: rename it back)'))
                  FROM ({lost}) AS l (name, was, now)
                UNION ALL
                SELECT pg_catalog.format('the journal knows rows by (%s), and no valid unique index says that those are unique now: CREATE UNIQUE INDEX CONCURRENTLY',
                                         pg_catalog.array_to_string(k.primary_key, ', '))
                  FROM ({keyless}) AS k (primary_key)
                UNION ALL
                SELECT pg_catalog.format('%s became GENERATED since, which no UPDATE may set: make it a plain column again', s.name)
                  FROM pg_catalog.unnest(v_job.shared_columns) AS s (name) WHERE s.name <> ALL (v_columns)
                UNION ALL
                SELECT pg_catalog.format('the foreign key %s of %s (ON UPDATE %s) refers to %s of %s: setting it back would change rows there: make it ON UPDATE NO ACTION first',
                                         c.name, c.source, c.action, c.columns, c.referred)
                  FROM ({carried_on}) AS c (name, source, referred, action, columns))
              INTO v_more;
            v_reasons := v_reasons || v_more;
        END IF;

        -- The old images that are there; where rows share what was set, the new image of the batch's first row stands for all.
        v_before := pg_catalog.format('b.%1$I = %2$s AND b.%3$I = ''before'' AND b.%4$I <= %5$s AND (b.%4$I > %6$s OR b.%4$I = ANY (%7$L))',
            v_meta[1], v_job.batch, v_meta[3], v_meta[2], v_job.row_count, v_job.restore_cursor, v_job.skipped_rows);
        v_new := pg_catalog.format('vaccine.%I', v_job.images);
        IF pg_catalog.cardinality(v_job.shared_columns) > 0 THEN
            SELECT pg_catalog.format('(SELECT i.%1$I, i.%2$I, ''after'' AS %3$I, %4$s FROM %5$s AS i JOIN %5$s AS o ON o.%1$I = i.%1$I AND o.%2$I = 1 AND o.%3$I = ''after'' '
                                     'WHERE i.%1$I = %6$s AND i.%3$I = ''before'')',
                       v_meta[1], v_meta[2], v_meta[3],
                       pg_catalog.string_agg(pg_catalog.format(CASE WHEN a.attname::text = ANY (v_job.shared_columns) THEN 'o.%1$I' ELSE 'i.%1$I' END, a.attname), ', ' ORDER BY a.attnum),
                       v_new, v_job.batch)
              INTO v_new
              FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = pg_catalog.to_regclass(v_new) AND a.attnum > 3 AND NOT a.attisdropped;
        END IF;
        EXECUTE pg_catalog.format('SELECT coalesce(pg_catalog.array_agg(b.%2$I), ''{}'') FROM vaccine.%1$I AS b JOIN %3$s AS a ON a.%4$I = b.%4$I AND a.%2$I = b.%2$I AND a.%5$I = ''after'' WHERE %6$s',
            v_job.images, v_meta[2], v_new, v_meta[1], v_meta[3], v_before) INTO v_held;
        IF pg_catalog.cardinality(v_held) < v_job.rows THEN
            v_lost := v_lost + v_job.rows - pg_catalog.cardinality(v_held);
            v_why := v_why || pg_catalog.format('the images of %s of %s rows of batch %s in vaccine.%s are gone', v_job.rows - pg_catalog.cardinality(v_held), v_job.rows, v_job.batch, v_job.images);
        END IF;
        CONTINUE WHEN v_reasons <> '{}' OR v_lost > 0 AND v_restore <> 'lost' OR v_dry AND v_restore <> 'strict';

        -- The rows that are still as they were left, and the columns in which their two images differ.
        EXECUTE pg_catalog.format(
            'SELECT coalesce(pg_catalog.array_agg(b.%2$I), ''{}''), ARRAY(SELECT d.name FROM (VALUES %3$s) AS d (name, differs) WHERE d.differs) '
            'FROM vaccine.%1$I AS b JOIN %4$s AS a ON a.%5$I = b.%5$I AND a.%2$I = b.%2$I AND a.%6$I = ''after'' JOIN %7$s AS t ON %8$s WHERE %9$s AND %10$s',
            v_job.images, v_meta[2],
            (SELECT pg_catalog.string_agg(pg_catalog.format('(%L, pg_catalog.bool_or(NOT pg_catalog.record_image_eq(ROW(b.%I), ROW(a.%I))))', c, c, c), ', ') FROM pg_catalog.unnest(v_columns) AS u (c)),
            v_new, v_meta[1], v_meta[3], v_source, v_same, v_before, v_unedited)
           INTO v_places, v_changed;
        v_edited := ARRAY(SELECT pg_catalog.unnest(v_held) EXCEPT SELECT pg_catalog.unnest(v_places) ORDER BY 1);
        v_kept := v_kept + pg_catalog.cardinality(v_edited);
        v_kept_keys := v_kept_keys || ARRAY(
            SELECT (SELECT pg_catalog.string_agg(p.part, '/' ORDER BY p.at) FROM pg_catalog.jsonb_array_elements_text(v_job.primary_keys -> (h.place - 1)) WITH ORDINALITY AS p (part, at))
              FROM pg_catalog.unnest(v_edited[1:20]) AS h (place) ORDER BY h.place);
        CONTINUE WHEN v_dry;
        v_assigned := v_changed;
        v_stamped := '{}';
        IF pg_catalog.cardinality(v_places) > 0 AND pg_catalog.cardinality(v_changed) > 0 THEN
            FOR v_attempt IN 1..2 LOOP
                EXECUTE pg_catalog.format('UPDATE %s AS t SET %s FROM vaccine.%I AS b WHERE %s AND %s AND b.%I = ANY (%L)',
                    v_source, (SELECT pg_catalog.string_agg(pg_catalog.format('%1$I = b.%1$I', c), ', ') FROM pg_catalog.unnest(v_changed) AS u (c)),
                    v_job.images, v_same, v_before, v_meta[2], v_places);
                SET CONSTRAINTS ALL IMMEDIATE;
                PERFORM pg_catalog.set_config('session_replication_role', 'origin', true) WHERE v_attempt = 2;
                EXECUTE pg_catalog.format(
                    'SELECT pg_catalog.count(*), ARRAY(SELECT d.name FROM (VALUES %s) AS d (name, differs) WHERE d.differs) FROM vaccine.%I AS b JOIN %s AS t ON %s WHERE %s AND b.%I = ANY (%L)',
                    (SELECT pg_catalog.string_agg(pg_catalog.format('(%L, pg_catalog.bool_or(NOT pg_catalog.record_image_eq(ROW(b.%I), ROW(t.%I))))', c, c, c), ', ') FROM pg_catalog.unnest(v_columns) AS u (c)),
                    v_job.images, v_source, v_same, v_before, v_meta[2], v_places)
                   INTO v_there, v_stamped;
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
            IF v_there <> pg_catalog.cardinality(v_places) OR v_stamped && v_assigned THEN
                RAISE EXCEPTION 'vaccine: rows of %.% could not go back; no row was changed', v_schema, v_table
                    USING DETAIL = pg_catalog.format('of %s rows of batch %s %s are there afterwards; not as they were: %s', pg_catalog.cardinality(v_places), v_job.batch, v_there, v_stamped),
                          HINT = 'a trigger or a rule interferes: look at the table''s (\d in psql), then run this script again in a new session; `alembic downgrade` without --sql restores row by row';
            END IF;
        END IF;
        UPDATE vaccine.journal j
           SET restored_count = j.restored_count + pg_catalog.cardinality(v_places),
               kept_rows = j.kept_rows || v_edited,
               stamped_columns = v_stamped, restore_cursor = j.row_count, skipped_rows = '{}', outcome = 'restored',
               restored_at = pg_catalog.clock_timestamp()
         WHERE j.batch = v_job.batch;
        v_total := v_total + pg_catalog.cardinality(v_places);
        IF pg_catalog.cardinality(v_stamped) > 0 THEN
            RAISE WARNING 'vaccine: a trigger of %.% stamped % on restored rows; the old values are in the journal', v_schema, v_table, v_stamped;
        END IF;
    END LOOP;

    IF v_lost > 0 AND v_restore <> 'lost' THEN
        RAISE EXCEPTION 'vaccine: % rows of %.% cannot be restored: what it takes is lost; nothing was changed', v_lost, v_schema, v_table
            USING DETAIL = pg_catalog.array_to_string(v_why[1:20], '; '), HINT = v_backup;
    END IF;
    IF v_reasons <> '{}' THEN
        RAISE EXCEPTION 'vaccine: %.% has changed since, so that old rows do not fit; nothing was changed', v_schema, v_table
            USING DETAIL = (SELECT pg_catalog.string_agg(r.place || '. ' || r.text, E'\n' ORDER BY r.place) FROM pg_catalog.unnest(v_reasons) WITH ORDINALITY AS r (text, place)),
                  HINT = 'remove each cause, then run this script again in a new session';
    END IF;
    IF v_restore = 'strict' AND v_kept > 0 THEN
        RAISE EXCEPTION 'vaccine: % rows of %.% were changed or deleted since they were resolved; nothing was changed', v_kept, v_schema, v_table
            USING DETAIL = pg_catalog.format('primary keys %s%s; -x vaccine.restore=strict restores all rows or none', pg_catalog.array_to_string(v_kept_keys[1:20], ', '), CASE WHEN v_kept > 20 THEN ', ...' END),
                  HINT = 'without that option these rows keep their newer values, are listed, and stay in the journal';
    END IF;
    IF NOT v_dry THEN
        IF v_kept > 0 THEN
            RAISE NOTICE 'vaccine: left as found, since they were changed or deleted: %', pg_catalog.array_to_string(v_kept_keys[1:20], ', ') || CASE WHEN v_kept > 20 THEN ', ...' ELSE '' END;
        END IF;
        RAISE NOTICE 'vaccine: restored %, kept % (edited since), could not go back 0%', v_total, v_kept, CASE WHEN v_lost > 0 THEN pg_catalog.format(', lost %s (their images are gone)', v_lost) ELSE '' END;
    END IF;
END
