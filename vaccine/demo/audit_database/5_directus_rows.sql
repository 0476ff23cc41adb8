-- What Directus knows of the application: collections, fields, relations, permissions, flows, activity.
INSERT INTO directus_migrations (version, name)
SELECT version, name FROM (VALUES
    ('20201028A', 'Remove Collection Foreign Keys'), ('20210225A', 'Add Relations Sort'),
    ('20220429A', 'Add Flows'), ('20240806A', 'Permissions Policies'), ('20240924A', 'Migrate Legacy Comments')
) AS applied (version, name);
INSERT INTO directus_settings (project_name) VALUES ('Directus');
INSERT INTO directus_collections (collection, archive_field, archive_value, unarchive_value)
SELECT relname, NULL, NULL, NULL FROM pg_catalog.pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT LIKE 'directus\_%' ORDER BY relname;
INSERT INTO directus_fields (collection, field, interface, special, options, sort, readonly)
SELECT c.relname, a.attname,
       CASE WHEN a.attname = 'status' THEN 'select-dropdown'
            WHEN a.atttypid IN ('json'::regtype, 'jsonb'::regtype) THEN 'input-code' ELSE 'input' END,
       CASE a.attname WHEN 'date_created' THEN 'date-created' WHEN 'user_created' THEN 'user-created'
                      WHEN 'date_updated' THEN 'date-updated' WHEN 'user_updated' THEN 'user-updated' END,
       CASE WHEN a.attname <> 'status' THEN NULL
            WHEN c.relname IN ('system_issues', 'universal_rule_violations') THEN
                '{"choices":[{"text":"Open","value":"open"},{"text":"Resolved","value":"resolved"}]}'::json
            WHEN c.relname = 'tasks' THEN
                '{"choices":[{"text":"To do","value":"todo"},{"text":"In progress","value":"in_progress"},{"text":"Done","value":"done"}]}'::json
            ELSE '{"choices":[{"text":"Draft","value":"draft"},{"text":"Published","value":"published"},{"text":"Archived","value":"archived"}]}'::json
       END,
       a.attnum, a.attname IN ('id', 'date_created', 'user_created', 'date_updated', 'user_updated')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE 'directus\_%'
   AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY c.relname, a.attnum;
INSERT INTO directus_relations (many_collection, many_field, one_collection)
SELECT c.relname, a.attname, t.relname
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
 WHERE k.contype = 'f' AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'directus\_%'
 ORDER BY c.relname, a.attname;

INSERT INTO directus_policies (id, name, icon, admin_access, app_access) VALUES
    ('00000000-0000-4000-8000-000000000021', 'Administrator', 'verified', true, true),
    ('00000000-0000-4000-8000-000000000022', 'Automation', 'smart_toy', false, false);
INSERT INTO directus_access (id, role, policy, sort) VALUES
    ('00000000-0000-4000-8000-000000000031', '00000000-0000-4000-8000-000000000001',
     '00000000-0000-4000-8000-000000000021', 1),
    ('00000000-0000-4000-8000-000000000032', '00000000-0000-4000-8000-000000000002',
     '00000000-0000-4000-8000-000000000022', 1);
INSERT INTO directus_permissions (collection, action, permissions, fields, policy)
SELECT collection, action, '{}', '*', '00000000-0000-4000-8000-000000000022'
  FROM unnest(ARRAY['system_issues', 'universal_rule_violations', 'knowledge_documents', 'tasks']) AS collection
 CROSS JOIN unnest(ARRAY['create', 'read', 'update']) AS action;

-- A flow makes the tasks (report, "Unknowns"); one that is switched off must not count as a writer.
INSERT INTO directus_flows (id, name, icon, status, trigger, accountability, options, operation) VALUES
    ('00000000-0000-4000-8000-000000000041', 'Create task from request', 'bolt', 'active', 'event', 'all',
     '{"type":"action","scope":["items.create"],"collections":["workflow_change_requests"]}',
     '00000000-0000-4000-8000-000000000051'),
    ('00000000-0000-4000-8000-000000000042', 'Import posts', 'bolt', 'inactive', 'schedule', 'all',
     '{"cron":"0 5 * * *"}', '00000000-0000-4000-8000-000000000052');
INSERT INTO directus_operations (id, name, key, type, position_x, position_y, options, flow) VALUES
    ('00000000-0000-4000-8000-000000000051', 'Create task', 'create_task', 'item-create', 19, 1,
     '{"collection":"tasks","permissions":"$full","emitEvents":false,"payload":{"description":"{{ $trigger.payload.description }}","status":"todo"}}',
     '00000000-0000-4000-8000-000000000041'),
    ('00000000-0000-4000-8000-000000000052', 'Create post', 'create_post', 'item-create', 19, 1,
     '{"collection":"posts","payload":{"slug":"{{ $last.slug }}"}}', '00000000-0000-4000-8000-000000000042');

INSERT INTO directus_activity (action, "user", "timestamp", ip, user_agent, collection, item)
SELECT 'create', user_created, date_created, '10.0.0.7', 'python-httpx/0.27.0', 'system_issues', id::text
  FROM system_issues WHERE id > 3950 ORDER BY date_created;
INSERT INTO directus_activity (action, "user", "timestamp", ip, user_agent, collection, item)
SELECT 'create', user_created, date_created, '10.0.0.9', 'agent-data/1.4', 'tasks', id::text FROM tasks ORDER BY id;
INSERT INTO directus_revisions (activity, collection, item, data, delta)
SELECT a.id, a.collection, a.item, row_to_json(s), row_to_json(s)
  FROM directus_activity a JOIN system_issues s ON s.id::text = a.item WHERE a.collection = 'system_issues' ORDER BY a.id;
