-- The application's 168 tables: those that the report names, then the sober rest.

-- Guarded tables with one plain unique constraint on the logical key, as Directus names it.
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT * FROM (VALUES
            ('agents', 'code', 24), ('agent_views', 'path', 18), ('approval_requests', 'code', 40),
            ('binding_registry', 'code', 65), ('block_library', 'key', 44), ('checkpoint_sets', 'code', 12),
            ('checkpoint_types', 'code', 9), ('collection_groups', 'code', 14), ('collection_registry', 'code', 168),
            ('comments', 'source_id', 73), ('derived_objects_registry', 'code', 210), ('design_templates', 'slug', 11),
            ('dot_domains', 'code', 16), ('dot_tools', 'file_path', 141), ('entity_dependencies', 'hash', 380),
            ('entity_species', 'code', 33), ('governance_registry', 'code', 57), ('kg_thresholds', 'key', 21),
            ('languages', 'code', 4), ('meta_catalog', 'code', 168), ('modules', 'key', 19),
            ('normative_registry', 'code', 46), ('pivot_definitions', 'code', 37), ('taxonomy', 'code', 95),
            ('taxonomy_facets', 'dimension', 8), ('trigger_registry', 'code', 61), ('ui_pages', 'path', 52),
            ('universal_edges', 'edge_hash', 1290), ('workflow_categories', 'slug', 7), ('workflow_steps', 'code', 84)
        ) AS guarded (name, key, rows)
    LOOP
        EXECUTE format(
            'CREATE TABLE %1$I (
                id serial PRIMARY KEY, %2$I varchar(255) NOT NULL, description text, sort_weight integer,
                date_created timestamptz DEFAULT CURRENT_TIMESTAMP, date_updated timestamptz,
                user_created uuid REFERENCES directus_users, user_updated uuid REFERENCES directus_users,
                CONSTRAINT %3$I UNIQUE (%2$I))',
            made.name, made.key, made.name || '_' || made.key || '_unique');
        EXECUTE format(
            'INSERT INTO %I (%I, description, sort_weight, date_created)
             SELECT CASE %L WHEN ''path'' THEN ''/'' || %L || ''/'' || n
                            WHEN ''file_path'' THEN ''/opt/dot/bin/dot-'' || lpad(n::text, 3, ''0'') || ''.sh''
                            WHEN ''hash'' THEN left(md5(%L || n), 16)
                            WHEN ''edge_hash'' THEN left(md5(%L || n), 16)
                            ELSE upper(left(%L, 3)) || ''-'' || lpad(n::text, 4, ''0'') END,
                    %L || n, n %% 7, timestamptz ''2025-11-01 08:00+00'' + n * interval ''3 hours''
               FROM generate_series(1, %s) AS n',
            made.name, made.key, made.key, made.name, made.name, made.name, made.name,
            'Entry of ' || replace(made.name, '_', ' ') || ', number ', made.rows);
    END LOOP;
END $$;

-- Guarded tables of a shape of their own.
CREATE TABLE table_proposals (
    code varchar(255) PRIMARY KEY, description text, decided_at timestamptz,
    date_created timestamptz DEFAULT CURRENT_TIMESTAMP, user_created uuid REFERENCES directus_users
);
CREATE TABLE knowledge_documents (
    id serial PRIMARY KEY, source_id varchar(255) NOT NULL, version_number integer NOT NULL DEFAULT 1,
    is_current boolean NOT NULL DEFAULT true, content text, content_size integer,
    date_created timestamptz DEFAULT CURRENT_TIMESTAMP, date_updated timestamptz,
    user_created uuid REFERENCES directus_users
);
CREATE UNIQUE INDEX idx_kd_current_source_id_unique ON knowledge_documents (source_id) WHERE is_current = true;
CREATE TABLE universal_rule_violations (
    id serial PRIMARY KEY, status varchar(255) NOT NULL DEFAULT 'open', violation_hash varchar(64) NOT NULL,
    rule_severity varchar(32), description text, evidence jsonb,
    first_seen_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP, last_seen_at timestamptz, resolved_at timestamptz
);
CREATE UNIQUE INDEX uq_open_violation_hash ON universal_rule_violations USING btree (violation_hash)
    WHERE ((status)::text = 'open'::text);
CREATE TABLE system_issues (
    id serial PRIMARY KEY,
    code varchar(255) NOT NULL,
    title varchar(255) NOT NULL,
    description text,
    status varchar(255) NOT NULL DEFAULT 'open',
    issue_class varchar(64) NOT NULL,
    severity varchar(32) NOT NULL DEFAULT 'warning',
    source_system varchar(128) NOT NULL,
    violation_hash varchar(64),
    business_logic_hash varchar(64),
    occurrence_count integer NOT NULL DEFAULT 1,
    first_seen_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    last_seen_at timestamptz,
    resolved_at timestamptz,
    payload jsonb,
    date_created timestamptz DEFAULT CURRENT_TIMESTAMP,
    date_updated timestamptz,
    user_created uuid REFERENCES directus_users,
    user_updated uuid REFERENCES directus_users
);
CREATE UNIQUE INDEX idx_system_issues_system_issues_code_unique ON system_issues (code);
CREATE INDEX idx_issues_open ON system_issues (status) WHERE status = 'open';
CREATE TABLE workflow_change_requests (
    id serial PRIMARY KEY, request_key varchar(255) NOT NULL UNIQUE, code varchar(255), description text,
    status varchar(255) NOT NULL DEFAULT 'draft', date_created timestamptz DEFAULT CURRENT_TIMESTAMP,
    user_created uuid REFERENCES directus_users
);

-- Tables whose logical key nothing guards.
CREATE TABLE categories (
    id serial PRIMARY KEY, slug varchar(255), description text, date_created timestamptz DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE posts (
    id serial PRIMARY KEY, slug varchar(255), status varchar(255) NOT NULL DEFAULT 'draft', content text,
    category_id integer REFERENCES categories, date_created timestamptz DEFAULT CURRENT_TIMESTAMP,
    user_created uuid REFERENCES directus_users
);
CREATE TABLE forms (
    id serial PRIMARY KEY, key varchar(255), description text, schema_definition jsonb,
    date_created timestamptz DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE tasks (
    id serial PRIMARY KEY, code varchar(255), description text, status varchar(255) NOT NULL DEFAULT 'todo',
    due_at timestamptz, assignee uuid REFERENCES directus_users,
    date_created timestamptz DEFAULT CURRENT_TIMESTAMP, user_created uuid REFERENCES directus_users
);
CREATE TABLE help_collections (
    id serial PRIMARY KEY, slug varchar(255), description text, date_created timestamptz DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE help_articles (
    id serial PRIMARY KEY, slug varchar(255), content text, help_collection_id integer REFERENCES help_collections,
    date_created timestamptz DEFAULT CURRENT_TIMESTAMP, user_created uuid REFERENCES directus_users
);
CREATE TABLE registry_changelog (
    id serial PRIMARY KEY, code varchar(255), entity_type varchar(64) NOT NULL, change_summary text, diff jsonb,
    changed_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP, user_created uuid REFERENCES directus_users
);

-- Logs.
CREATE TABLE birth_registry (
    id serial PRIMARY KEY, entity_type varchar(64) NOT NULL, entity_row integer NOT NULL,
    born_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP, payload jsonb
);
CREATE TABLE measurement_log (
    id serial PRIMARY KEY, run_id integer NOT NULL, measurement_id integer NOT NULL, value numeric(14, 4),
    measured_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT measurement_log_run_measurement_unique UNIQUE (run_id, measurement_id)
);
CREATE TABLE lifecycle_log (
    id serial PRIMARY KEY, entity_type varchar(64) NOT NULL, entity_row integer NOT NULL, old_status varchar(64),
    new_status varchar(64), changed_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- 23 tables with a column that carries the logical key of a row of another table: a reference, many rows each.
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT * FROM (VALUES
            ('agent_runs', 'agent_code', 'agents', 'code'), ('agent_assignments', 'agent_code', 'agents', 'code'),
            ('approval_votes', 'approval_code', 'approval_requests', 'code'),
            ('block_usages', 'block_key', 'block_library', 'key'),
            ('checkpoint_items', 'checkpoint_set_code', 'checkpoint_sets', 'code'),
            ('checkpoint_results', 'checkpoint_type_code', 'checkpoint_types', 'code'),
            ('collection_snapshots', 'collection_code', 'collection_registry', 'code'),
            ('content_translations', 'language_code', 'languages', 'code'),
            ('dot_runs', 'file_path', 'dot_tools', 'file_path'),
            ('dot_schedules', 'file_path', 'dot_tools', 'file_path'),
            ('edge_reviews', 'edge_hash', 'universal_edges', 'edge_hash'),
            ('facet_assignments', 'dimension', 'taxonomy_facets', 'dimension'),
            ('governance_decisions', 'governance_code', 'governance_registry', 'code'),
            ('meta_catalog_notes', 'catalog_code', 'meta_catalog', 'code'),
            ('module_releases', 'module_key', 'modules', 'key'),
            ('normative_clauses', 'normative_code', 'normative_registry', 'code'),
            ('page_visits', 'page_path', 'ui_pages', 'path'),
            ('pivot_results', 'pivot_code', 'pivot_definitions', 'code'),
            ('species_observations', 'species_code', 'entity_species', 'code'),
            ('taxonomy_assignments', 'taxonomy_code', 'taxonomy', 'code'),
            ('threshold_breaches', 'threshold_key', 'kg_thresholds', 'key'),
            ('trigger_firings', 'trigger_code', 'trigger_registry', 'code'),
            ('workflow_step_runs', 'step_code', 'workflow_steps', 'code')
        ) AS referring (name, reference, target, key)
    LOOP
        EXECUTE format(
            'CREATE TABLE %I (
                id serial PRIMARY KEY, %I varchar(255) REFERENCES %I (%I), notes text, payload jsonb,
                date_created timestamptz DEFAULT CURRENT_TIMESTAMP, user_created uuid REFERENCES directus_users)',
            made.name, made.reference, made.target, made.key);
        EXECUTE format(
            'INSERT INTO %I (%I, notes, payload, date_created)
             SELECT %I, ''Recorded'', ''{}'', timestamptz ''2026-01-05 06:00+00'' + n * interval ''5 hours''
               FROM %I CROSS JOIN generate_series(1, 3) AS n WHERE id <= 20',
            made.name, made.reference, made.key, made.target);
    END LOOP;
END $$;
