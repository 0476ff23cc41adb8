-- 100 tables of notes, events and measures about rows of other tables, none with a logical key.
DO $$
DECLARE
    family record;
    ending text;
    body text;
    filled text;
BEGIN
    FOR family IN
        SELECT * FROM (VALUES
            ('agent', 'agents', '{notes,messages,feedback,costs,errors,handovers}'),
            ('dot_tool', 'dot_tools', '{outputs,costs,reviews,incidents,timings}'),
            ('checkpoint', 'checkpoint_sets', '{notes,waivers,timings}'),
            ('approval', 'approval_requests', '{notes,reminders,escalations}'),
            ('block', 'block_library', '{reviews,previews,timings}'),
            ('collection', 'collection_registry', '{sizes,reviews,imports,exports,notes}'),
            ('document', 'knowledge_documents', '{reviews,views,feedback,sizes,outputs,imports,notes}'),
            ('template', 'design_templates', '{reviews,previews}'),
            ('governance', 'governance_registry', '{reviews,waivers,meetings}'),
            ('normative', 'normative_registry', '{reviews,notes}'),
            ('module', 'modules', '{incidents,sizes,reviews,deployments}'),
            ('taxonomy', 'taxonomy', '{reviews,notes,sizes}'),
            ('page', 'ui_pages', '{reviews,timings,errors}'),
            ('pivot', 'pivot_definitions', '{refreshes,timings}'),
            ('workflow_step', 'workflow_steps', '{notes,timings,errors}'),
            ('workflow_change', 'workflow_change_requests', '{notes,reviews}'),
            ('workflow_category', 'workflow_categories', '{notes}'),
            ('issue', 'system_issues', '{notes,occurrences,escalations,workarounds}'),
            ('violation', 'universal_rule_violations', '{notes,waivers}'),
            ('task', 'tasks', '{notes,timings,reminders,outputs}'),
            ('post', 'posts', '{views,reactions,previews}'),
            ('form', 'forms', '{submissions,feedback,reminders}'),
            ('help_article', 'help_articles', '{feedback,views}'),
            ('help_collection', 'help_collections', '{notes}'),
            ('category', 'categories', '{notes}'),
            ('threshold', 'kg_thresholds', '{reviews,notes}'),
            ('species', 'entity_species', '{notes,sizes}'),
            ('dependency', 'entity_dependencies', '{checks,notes}'),
            ('edge', 'universal_edges', '{weights,notes}'),
            ('catalog', 'meta_catalog', '{checks,sizes}'),
            ('trigger', 'trigger_registry', '{timings,errors}'),
            ('binding', 'binding_registry', '{checks,notes}'),
            ('derived_object', 'derived_objects_registry', '{refreshes,timings,checks}'),
            ('checkpoint_type', 'checkpoint_types', '{notes}'),
            ('collection_group', 'collection_groups', '{notes}'),
            ('domain', 'dot_domains', '{notes,incidents}'),
            ('view', 'agent_views', '{feedback}'),
            ('comment', 'comments', '{reactions}')
        ) AS families (prefix, parent, endings)
    LOOP
        FOREACH ending IN ARRAY family.endings::text[]
        LOOP
            IF ending IN ('notes', 'messages', 'feedback', 'reviews', 'outputs', 'previews', 'workarounds') THEN
                body := 'body text, date_created timestamptz DEFAULT CURRENT_TIMESTAMP, date_updated timestamptz,
                         user_created uuid REFERENCES directus_users';
                filled := 'body, date_created) SELECT id, ''Written down at a review.'', ';
            ELSIF ending IN ('costs', 'timings', 'sizes', 'weights') THEN
                body := 'measured_value numeric(14, 4), measured_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP';
                filled := 'measured_value, measured_at) SELECT id, (n * 17 + id) %% 113, ';
            ELSE
                body := 'details jsonb, occurred_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
                         user_created uuid REFERENCES directus_users';
                filled := 'details, occurred_at) SELECT id, ''{}'', ';
            END IF;
            EXECUTE format('CREATE TABLE %I (id serial PRIMARY KEY, %I integer REFERENCES %I, ' || body || ')',
                           family.prefix || '_' || ending, family.prefix || '_id', family.parent);
            EXECUTE format('INSERT INTO %I (%I, ' || filled
                           || 'timestamptz ''2026-02-01 09:00+00'' + (n + id) * interval ''11 hours''
                               FROM (SELECT id FROM %I ORDER BY id LIMIT 12) AS parent CROSS JOIN generate_series(1, 2) AS n',
                           family.prefix || '_' || ending, family.prefix || '_id', family.parent);
        END LOOP;
    END LOOP;
END $$;
