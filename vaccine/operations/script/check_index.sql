    v_path text := pg_catalog.current_setting('search_path');
    v_good boolean;
    v_wanted text := CASE v_table WHEN 'vaccine_wanted' THEN 'vaccine_wanted_' ELSE 'vaccine_wanted' END;
BEGIN
    -- The definition as it must be, in PostgreSQL's own spelling: of an index on an empty copy of the table.
    PERFORM pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', nullif(v_path, ''), pg_catalog.quote_ident(v_schema), 'pg_temp'), true);
    EXECUTE pg_catalog.format('CREATE TEMPORARY TABLE %I AS SELECT * FROM %I.%I WITH NO DATA', v_table, v_schema, v_table);
    EXECUTE pg_catalog.format('CREATE UNIQUE INDEX %I ON pg_temp.%I (%s)', v_wanted, v_table,
        (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(u.name), ', ' ORDER BY u.place) FROM pg_catalog.unnest(v_columns) WITH ORDINALITY AS u(name, place)))
        || coalesce(' WHERE ' || v_where, '');
    EXECUTE $wanted$
        SELECT EXISTS (
            SELECT FROM pg_catalog.pg_index i
              JOIN pg_catalog.pg_index w ON w.indexrelid = pg_catalog.to_regclass('pg_temp.' || $3)
             WHERE i.indexrelid = pg_catalog.to_regclass($1) AND i.indrelid = pg_catalog.to_regclass($2)
               AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indisready AND i.indnatts = i.indnkeyatts
               AND (i.indclass::text, i.indcollation::text) = (w.indclass::text, w.indcollation::text)
               AND pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct' IS NOT DISTINCT FROM pg_catalog.to_jsonb(w) ->> 'indnullsnotdistinct'
               AND pg_catalog.pg_get_expr(i.indpred, i.indrelid) IS NOT DISTINCT FROM pg_catalog.pg_get_expr(w.indpred, w.indrelid)
               AND ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, g.place, true) FROM pg_catalog.generate_series(1, i.indnatts) AS g(place) ORDER BY g.place)
                 = ARRAY(SELECT pg_catalog.pg_get_indexdef(w.indexrelid, g.place, true) FROM pg_catalog.generate_series(1, w.indnatts) AS g(place) ORDER BY g.place))
    $wanted$ INTO v_good USING pg_catalog.format('%I.%I', v_schema, v_name), pg_catalog.format('%I.%I', v_schema, v_table), v_wanted;
    EXECUTE pg_catalog.format('DROP TABLE pg_temp.%I', v_table);
    PERFORM pg_catalog.set_config('search_path', v_path, true);
    IF NOT v_good THEN
        RAISE EXCEPTION 'vaccine: the unique index %.% is missing, INVALID or another one; the revision is not stamped', v_schema, v_name
            USING HINT = pg_catalog.format('see the errors above and \d of the table; a leftover of this build: DROP INDEX CONCURRENTLY IF EXISTS %I.%I; then run this script again', v_schema, v_name);
    END IF;
END
