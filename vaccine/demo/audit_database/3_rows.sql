-- The rows that the report counted. Nothing here is random: a second load gives the same rows.
INSERT INTO directus_roles (id, name, icon, description) VALUES
    ('00000000-0000-4000-8000-000000000001', 'Administrator', 'verified', '$t:admin_description'),
    ('00000000-0000-4000-8000-000000000002', 'Automation', 'smart_toy', 'Runners and agents that write by REST');
INSERT INTO directus_users (id, first_name, last_name, email, status, role) VALUES
    ('00000000-0000-4000-8000-000000000011', 'Admin', 'User', 'admin@example.com', 'active',
     '00000000-0000-4000-8000-000000000001'),
    ('00000000-0000-4000-8000-000000000012', 'dieu31', 'runner', 'dieu31-runner@example.com', 'active',
     '00000000-0000-4000-8000-000000000002'),
    ('00000000-0000-4000-8000-000000000013', 'agent', 'data', 'agent-data@example.com', 'active',
     '00000000-0000-4000-8000-000000000002');

-- system_issues: 165 rows, ids 3837 to 4001; the two open pairs by their ids, the other 161 by their place.
-- 23 of those share 8 resolved hashes (4, 4, 4, 3, 2, 2, 2, 2), 138 have one of their own:
-- 2 + 8 + 138 = 148 distinct hashes. 12 causes give 12 distinct business_logic_hash.
INSERT INTO system_issues (
    id, code, title, description, status, issue_class, severity, source_system, violation_hash, business_logic_hash,
    occurrence_count, first_seen_at, last_seen_at, resolved_at, payload, date_created, date_updated, user_created,
    user_updated
)
WITH pair (id, violation_hash, last_seen_at) AS (
    VALUES (3896, '44815e74c3d0f846', timestamptz '2026-04-09 10:00:25.802+00'),
           (3994, '44815e74c3d0f846', timestamptz '2026-03-30 10:00:15.042+00'),
           (3884, '9cc0eb3d7958f6cf', timestamptz '2026-04-09 10:00:17.869+00'),
           (3999, '9cc0eb3d7958f6cf', timestamptz '2026-04-01 04:00:27.476+00')
), cause (number, issue_class, source_system, title) AS (
    VALUES (0, 'sync_fault', 'dieu31-runner', 'Synchronisation step failed'),
           (1, 'env_contract', 'env-contract-check', 'Variable missing from the environment contract'),
           (2, 'logrotate_config', 'logrotate-config-check', 'Log file without a rotation rule'),
           (3, 'rsyslog_health', 'rsyslog-health-check', 'Forwarding queue does not drain'),
           (4, 'sync_fault', 'directus_sync', 'Configuration error reported on start'),
           (5, 'registry_drift', 'dieu31-runner', 'Registry and database differ'),
           (6, 'schema_drift', 'dieu31-runner', 'Field unknown to the catalog'),
           (7, 'backup_missed', 'backup-check', 'No backup within 24 hours'),
           (8, 'certificate_expiry', 'tls-check', 'Certificate ends within 14 days'),
           (9, 'disk_pressure', 'disk-check', 'Less than 15% of the disk is free'),
           (10, 'flow_failure', 'directus-flows', 'Flow ended with an error'),
           (11, 'search_lag', 'agent-data', 'Search index is behind its source')
), other AS (
    SELECT id, row_number() OVER (ORDER BY md5(id::text)) AS place
      FROM generate_series(3837, 4001) AS id WHERE id NOT IN (SELECT pair.id FROM pair)
), issue AS (
    SELECT id, violation_hash, 'open' AS status, 0 AS cause, last_seen_at FROM pair
    UNION ALL
    SELECT id,
           CASE WHEN place <= 4 THEN '0653e4f1c9c519d6'
                WHEN place <= 8 THEN '1bbc0770d083c274'
                WHEN place <= 12 THEN 'aa8df24153c26d4b'
                WHEN place <= 15 THEN left(md5('violation 13'), 16)
                WHEN place <= 23 THEN left(md5('violation ' || place / 2 * 2), 16)
                ELSE left(md5('violation ' || place), 16) END,
           CASE WHEN place > 138 THEN 'open' ELSE 'resolved' END,
           CASE WHEN place <= 12 THEN (place - 1) / 4
                WHEN place <= 15 THEN 3
                WHEN place <= 23 THEN place / 2 % 12
                ELSE place % 12 END,
           timestamptz '2026-03-12 04:00:09.417+00' + (id - 3837) * interval '3 hours 41 minutes 7.319 seconds'
      FROM other
)
SELECT issue.id, 'ISS-' || lpad(issue.id::text, 4, '0'), cause.title,
       cause.title || ' (seen by ' || cause.source_system || ')',
       issue.status, cause.issue_class, (ARRAY['warning', 'error', 'critical'])[1 + issue.id % 3], cause.source_system,
       issue.violation_hash, left(md5('business logic ' || cause.number), 16),
       1 + issue.id % 9, issue.last_seen_at - (1 + issue.id % 9) * interval '6 hours', issue.last_seen_at,
       CASE WHEN issue.status = 'resolved' THEN issue.last_seen_at + interval '2 hours 15 minutes' END,
       jsonb_build_object('runner', cause.source_system, 'attempt', 1 + issue.id % 4, 'exit_status', issue.id % 2),
       issue.last_seen_at - (1 + issue.id % 9) * interval '6 hours', issue.last_seen_at,
       '00000000-0000-4000-8000-000000000012', '00000000-0000-4000-8000-000000000012'
  FROM issue JOIN cause ON cause.number = issue.cause
 ORDER BY issue.id;
SELECT setval('system_issues_id_seq', 4001);

-- 1741 violations: 316 open, each once; the resolved ones repeat their hash, as history does.
INSERT INTO universal_rule_violations (
    status, violation_hash, rule_severity, description, evidence, first_seen_at, last_seen_at, resolved_at
)
SELECT CASE WHEN n <= 316 THEN 'open' ELSE 'resolved' END,
       left(md5('rule violation ' || CASE WHEN n <= 316 THEN n ELSE n % 475 END), 16),
       (ARRAY['low', 'medium', 'high'])[1 + n % 3], 'Rule broken by an entry of the registry',
       jsonb_build_object('entry', n), seen, seen + interval '1 day',
       CASE WHEN n > 316 THEN seen + interval '3 days' END
  FROM generate_series(1, 1741) AS n
 CROSS JOIN LATERAL (SELECT timestamptz '2026-01-10 00:00+00' + n * interval '71 minutes') AS time (seen);

-- 140 documents with three versions each, one of them current.
INSERT INTO knowledge_documents (source_id, version_number, is_current, content, content_size, date_created)
SELECT 'docs/' || lpad(n::text, 3, '0') || '.md', version, version = 3, 'Text of version ' || version, 900 + n * version,
       timestamptz '2026-02-01 00:00+00' + (n + version * 200) * interval '1 hour'
  FROM generate_series(1, 140) AS n CROSS JOIN generate_series(1, 3) AS version;

INSERT INTO table_proposals (code, description) SELECT 'TPR-' || lpad(n::text, 4, '0'), 'Proposed table' FROM generate_series(1, 6) AS n;
INSERT INTO workflow_change_requests (request_key, code, description, status)
SELECT 'workflow/' || n, 'WCR-' || lpad(n::text, 4, '0'), 'Change to a workflow', 'draft' FROM generate_series(1, 3) AS n;
INSERT INTO categories (slug, description) VALUES ('general', 'Everything else');
INSERT INTO posts (slug, status, content, category_id) VALUES
    ('welcome', 'published', 'First post', 1), ('release-notes', 'draft', 'Second post', 1);
INSERT INTO tasks (code, description, status, due_at, assignee, date_created, user_created)
SELECT 'TSK-' || lpad(n::text, 4, '0'), 'Task made by a flow', CASE WHEN n <= 4 THEN 'done' ELSE 'todo' END,
       timestamptz '2026-04-20 12:00+00' + n * interval '1 day', '00000000-0000-4000-8000-000000000011',
       timestamptz '2026-04-01 07:30+00' + n * interval '9 hours', '00000000-0000-4000-8000-000000000013'
  FROM generate_series(1, 10) AS n;
INSERT INTO help_collections (slug, description) VALUES ('getting-started', 'For new colleagues');
INSERT INTO help_articles (slug, content, help_collection_id) VALUES
    ('sign-in', 'How to sign in', 1), ('first-task', 'How to take a task', 1), ('report-an-issue', 'How to report', 1);

-- Logs. registry_changelog: 12 codes in 15,317 rows.
INSERT INTO registry_changelog (code, entity_type, change_summary, diff, changed_at)
SELECT CASE WHEN n % 1250 = 0 THEN 'CAT-' || lpad((n / 1250)::text, 4, '0') END,
       (ARRAY['meta_catalog', 'dot_tools', 'collection_registry', 'agents', 'modules'])[1 + n % 5],
       'Entry refreshed', '{}', timestamptz '2025-12-01 00:00+00' + n * interval '12 minutes'
  FROM generate_series(1, 15317) AS n;
INSERT INTO birth_registry (entity_type, entity_row, born_at, payload)
SELECT (ARRAY['meta_catalog', 'dot_tools', 'collection_registry', 'agents', 'modules'])[1 + n % 5], 1 + n % 900,
       timestamptz '2025-11-01 00:00+00' + n * interval '6 minutes', '{}'
  FROM generate_series(1, 34084) AS n;
INSERT INTO measurement_log (run_id, measurement_id, value, measured_at)
SELECT run, measurement, (run * measurement) % 997 / 7.0, timestamptz '2026-02-10 00:00+00' + run * interval '1 day'
  FROM generate_series(1, 50) AS run CROSS JOIN generate_series(1, 101) AS measurement;
INSERT INTO lifecycle_log (entity_type, entity_row, old_status, new_status, changed_at)
SELECT (ARRAY['agents', 'dot_tools', 'modules'])[1 + n % 3], 1 + n % 60, 'draft', 'published',
       timestamptz '2026-01-01 00:00+00' + n * interval '2 hours'
  FROM generate_series(1, 827) AS n;

-- birth_registry is filled by triggers; they come after the rows, which it has already.
CREATE FUNCTION record_birth() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.birth_registry (entity_type, entity_row) VALUES (TG_TABLE_NAME, NEW.id);
    RETURN NULL;
END $$;
DO $$
DECLARE
    born text;
BEGIN
    FOREACH born IN ARRAY ARRAY['agents', 'collection_registry', 'dot_tools', 'meta_catalog', 'modules']
    LOOP
        EXECUTE format('CREATE TRIGGER record_birth AFTER INSERT ON %I FOR EACH ROW EXECUTE FUNCTION record_birth()', born);
    END LOOP;
END $$;
