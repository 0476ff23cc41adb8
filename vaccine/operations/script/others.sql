BEGIN
            {text_form};
            EXECUTE pg_catalog.format('CREATE TEMPORARY VIEW vaccine_texts AS SELECT vaccine_n, ARRAY[%s] AS excess, ARRAY[%s] AS survivor FROM pg_temp.vaccine_work',
                v_excess_texts, v_survivor_texts);
            SELECT pg_catalog.format('%s would be resolved that the plan did not approve, or not beside the same survivor: primary key %s%s',
                       CASE pg_catalog.max(o.rows) WHEN 1 THEN '1 row' ELSE pg_catalog.max(o.rows) || ' rows' END,
                       pg_catalog.string_agg(pg_catalog.format(CASE WHEN pg_catalog.cardinality(o.excess) = 1 THEN '%s (beside %s)' ELSE '(%s) (beside (%s))' END,
                           pg_catalog.array_to_string(o.excess, ', '), pg_catalog.array_to_string(o.survivor, ', ')), ', '),
                       CASE WHEN pg_catalog.max(o.rows) > pg_catalog.count(*) THEN ', ...' ELSE '' END)
              INTO v_drift
              FROM ({statement}) AS o (rows, excess, survivor)
            HAVING pg_catalog.count(*) > 0;
            RAISE EXCEPTION USING ERRCODE = 'VACC0';  -- takes settings and view back; what was found stays
        EXCEPTION WHEN SQLSTATE 'VACC0' THEN
            NULL;
        END;
