    v_oid oid := pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_table));
    v_started timestamptz := pg_catalog.clock_timestamp();
    v_source text;
    v_pk text[];
    v_list text;
    v_own text;
    v_first text;
    v_excess text;
    v_survivors text;
    v_excess_texts text;
    v_survivor_texts text;
    v_same text;
    v_kept text;
    v_drift text;
    v_any boolean;
    v_images text;
    v_meta text[] := '{}';
    v_name text;
    v_batch bigint;
    v_before bigint;
    v_found bigint := 0;
    v_changed bigint;
    v_there bigint;
    v_live bigint;
BEGIN
    -- The table as it is now, and its primary key in the forms that statements need.
    SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || pg_catalog.format('%I.%I', v_schema, v_table)
      INTO v_source
      FROM pg_catalog.pg_class c
     WHERE c.oid = v_oid AND c.relkind IN ('r', 'p');
    SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place),
           pg_catalog.string_agg(pg_catalog.format('%I', a.attname), ', ' ORDER BY k.place),
           pg_catalog.string_agg(pg_catalog.format('%I AS vaccine_p%s', a.attname, k.place - 1), ', ' ORDER BY k.place),
           pg_catalog.string_agg(pg_catalog.format('first_value(%I) OVER ranked AS vaccine_s%s', a.attname, k.place - 1), ', ' ORDER BY k.place),
           pg_catalog.string_agg(pg_catalog.format('vaccine_p%s', k.place - 1), ', ' ORDER BY k.place),
           pg_catalog.string_agg(pg_catalog.format('vaccine_s%s', k.place - 1), ', ' ORDER BY k.place),
           pg_catalog.string_agg(pg_catalog.format('vaccine_p%s::text COLLATE "C"', k.place - 1), ', ' ORDER BY k.place),
           pg_catalog.string_agg(pg_catalog.format('vaccine_s%s::text COLLATE "C"', k.place - 1), ', ' ORDER BY k.place),
           pg_catalog.string_agg(pg_catalog.format('t.%I = w.vaccine_p%s', a.attname, k.place - 1), ' AND ' ORDER BY k.place)
      INTO v_pk, v_list, v_own, v_first, v_excess, v_survivors, v_excess_texts, v_survivor_texts, v_same
      FROM pg_catalog.pg_index i
     CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = v_oid AND a.attnum = k.attnum
     WHERE i.indrelid = v_oid AND i.indisprimary AND i.indisvalid AND k.place <= i.indnkeyatts;
    -- Writers of the table wait from here to the COMMIT; readers do not. `alembic upgrade` without --sql does without.
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v_source);

    -- The excess rows of the duplicate groups, each with its survivor. Without a primary key there are none (preflight).
    v_kept := coalesce('((' || v_list || ') IN (' || v_keep || '))', 'FALSE');
    IF v_pk IS NOT NULL THEN
        EXECUTE pg_catalog.format(
            'CREATE TEMPORARY TABLE vaccine_work ON COMMIT DROP AS SELECT (row_number() OVER (ORDER BY %1$s))::integer AS vaccine_n, %1$s, %2$s FROM ('
            'SELECT %3$s, %4$s, row_number() OVER ranked AS vaccine_place, %5$s AS vaccine_kept FROM %6$s '
            'WHERE %7$s AND pg_catalog.num_nulls(%8$s) = 0 WINDOW ranked AS (PARTITION BY %8$s ORDER BY %5$s DESC, %9$s, %10$s)) AS found '
            'WHERE vaccine_place > 1 AND NOT vaccine_kept',
            v_excess, v_survivors, v_own, v_first, v_kept, v_source, v_live_sql, v_key_list, v_survivor, v_list);
        EXECUTE 'SELECT pg_catalog.count(*) FROM pg_temp.vaccine_work' INTO v_found;
    END IF;

    -- Drift: any row that the plan did not approve beside this survivor, more rows, or rows kept by hand that went.
    {before};
    IF v_found > 0 THEN
        {others}
    END IF;
    IF v_drift IS NULL AND v_before + v_found > v_max_rows THEN
        v_drift := pg_catalog.format('%s rows would be resolved, %s were resolved before; max_rows is %s', v_found, v_before, v_max_rows);
    END IF;
    IF v_named AND v_found = 0 AND v_before = 0 THEN
        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s WHERE %s AND pg_catalog.num_nulls(%s) = 0)', v_source, v_live_sql, v_key_list) INTO v_any;
    END IF;
    IF NOT v_any THEN
        v_drift := pg_catalog.format('no row of the table is live any more, where the plan saw %s to resolve: another database, an emptied table, or a predicate that fits no row', v_max_rows);
    END IF;
    IF v_keep IS NOT NULL THEN
        EXECUTE pg_catalog.format(
            'SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE (%s AND pg_catalog.num_nulls(%s) = 0) IS TRUE) FROM %s WHERE %s',
            v_live_sql, v_key_list, v_source, v_kept) INTO v_there, v_live;
        v_drift := nullif(pg_catalog.concat_ws('; ', v_drift,
            CASE WHEN v_there < v_keeps THEN pg_catalog.format('%s of the rows kept by hand are gone', v_keeps - v_there) END,
            CASE WHEN v_live < v_there THEN pg_catalog.format('%s of the rows kept by hand are no longer live', v_there - v_live) END), '');
    END IF;
    IF v_drift IS NOT NULL AND NOT v_accept THEN
        RAISE EXCEPTION 'vaccine: %.% is no longer as the plan saw it; nothing was changed', v_schema, v_table
            USING DETAIL = v_drift,
                  HINT = 'look at it again with `vaccine plan`, or accept the database as it is with `alembic -x vaccine.drift=accept upgrade ... --sql`';
    END IF;
    IF v_found = 0 THEN
        DROP TABLE IF EXISTS pg_temp.vaccine_work;
        RETURN;
    END IF;
    {rows}

    -- The image table for the shape that the table has now.
    {same_shape};
    IF v_images IS NULL THEN
        LOCK TABLE vaccine.image_tables IN SHARE ROW EXCLUSIVE MODE;
        SELECT 'images_' || coalesce(pg_catalog.max(pg_catalog.substr(i.images, 8)::integer), 0) + 1 INTO v_images
          FROM vaccine.image_tables i;
        FOREACH v_name IN ARRAY ARRAY['vaccine_batch', 'vaccine_row', 'vaccine_image'] LOOP
            WHILE EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = v_oid AND a.attname = v_name AND NOT a.attisdropped) LOOP
                v_name := v_name || '_';
            END LOOP;
            v_meta := v_meta || v_name;
        END LOOP;
        EXECUTE pg_catalog.format('CREATE TABLE vaccine.%I AS SELECT 0::bigint AS %I, 0::integer AS %I, ''''::text AS %I, t.* FROM %s AS t WITH NO DATA',
            v_images, v_meta[1], v_meta[2], v_meta[3], v_source);
        EXECUTE pg_catalog.format('ALTER TABLE vaccine.%I ADD PRIMARY KEY (%I, %I, %I)', v_images, v_meta[1], v_meta[2], v_meta[3]);
        EXECUTE pg_catalog.format('REVOKE ALL ON vaccine.%I FROM PUBLIC', v_images);
        EXECUTE pg_catalog.format('COMMENT ON TABLE vaccine.%I IS %L', v_images,
            pg_catalog.format('Images of rows of %s.%s, before and after Vaccine changed them.', v_schema, v_table));
        INSERT INTO vaccine.image_tables VALUES (v_images, v_schema, v_table, v_pk, pg_catalog.now());
    END IF;

    -- Old images, resolve, new images, the journal's row, the record's count.
    v_batch := pg_catalog.nextval('vaccine.journal_batch_seq');
    EXECUTE pg_catalog.format('INSERT INTO vaccine.%I SELECT %s, w.vaccine_n, ''before'', t.* FROM pg_temp.vaccine_work AS w JOIN %s AS t ON %s',
        v_images, v_batch, v_source, v_same);
    EXECUTE pg_catalog.format('UPDATE %s SET %s WHERE (%s) IN (SELECT %s FROM pg_temp.vaccine_work)', v_source, v_assign, v_list, v_excess);
    GET DIAGNOSTICS v_changed = ROW_COUNT;
    SET CONSTRAINTS ALL IMMEDIATE;
    EXECUTE pg_catalog.format(
        'WITH after AS (INSERT INTO vaccine.%I AS %I SELECT %s, w.vaccine_n, ''after'', t.* FROM pg_temp.vaccine_work AS w JOIN %s AS t ON %s '
        'RETURNING (%s AND pg_catalog.num_nulls(%s) = 0) IS TRUE AS live) '
        'SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE live) FROM after',
        v_images, v_table, v_batch, v_source, v_same, v_live_sql, v_key_list)
       INTO v_there, v_live;
    IF v_changed <> v_found OR v_there <> v_found OR v_live <> 0 THEN
        RAISE EXCEPTION 'vaccine: resolving does not retire the rows of %.%; nothing was changed', v_schema, v_table
            USING DETAIL = pg_catalog.format('of %s rows %s were updated, %s are still there, %s of these are still live', v_found, v_changed, v_there, v_live),
                  HINT = 'a trigger or a rule undoes the update, or the assignment does not end the predicate';
    END IF;
    EXECUTE pg_catalog.format(
        'INSERT INTO vaccine.journal (batch, revision, plan, schema_name, table_name, key_columns, predicate, images, row_count, '
        'started_at, resolved_at, outcome, primary_keys, survivors) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '
        'pg_catalog.clock_timestamp(), ''resolved'', pg_catalog.to_jsonb(pg_catalog.array_agg(ARRAY[%s] ORDER BY vaccine_n)), '
        'pg_catalog.to_jsonb(pg_catalog.array_agg(ARRAY[%s] ORDER BY vaccine_n)) FROM pg_temp.vaccine_work', v_excess_texts, v_survivor_texts)
      USING v_batch, v_revision, v_plan, v_schema, v_table, v_key_columns, v_where, v_images, v_found, v_started;
    {count};
    DROP TABLE pg_temp.vaccine_work;
    RAISE NOTICE 'vaccine: resolved % rows of %.%', v_found, v_schema, v_table;
END
