-- The system tables of Directus 11, as its own migrations leave them on PostgreSQL.
CREATE TABLE directus_roles (
    id uuid PRIMARY KEY, name varchar(100) NOT NULL, icon varchar(64) NOT NULL DEFAULT 'supervised_user_circle',
    description text, parent uuid REFERENCES directus_roles
);
CREATE TABLE directus_users (
    id uuid PRIMARY KEY, first_name varchar(50), last_name varchar(50), email varchar(128) UNIQUE,
    password varchar(255), location varchar(255), title varchar(50), description text, tags json, avatar uuid,
    language varchar(255), tfa_secret varchar(255), status varchar(16) NOT NULL DEFAULT 'active',
    role uuid REFERENCES directus_roles ON DELETE SET NULL, token varchar(255) UNIQUE, last_access timestamptz,
    last_page varchar(255), provider varchar(128) NOT NULL DEFAULT 'default', external_identifier varchar(255) UNIQUE,
    auth_data json, email_notifications boolean DEFAULT true, appearance varchar(255), theme_dark varchar(255),
    theme_light varchar(255), theme_light_overrides json, theme_dark_overrides json, text_direction varchar(255)
);
CREATE TABLE directus_policies (
    id uuid PRIMARY KEY, name varchar(100) NOT NULL, icon varchar(64) NOT NULL DEFAULT 'badge', description text,
    ip_access text, enforce_tfa boolean NOT NULL DEFAULT false, admin_access boolean NOT NULL DEFAULT false,
    app_access boolean NOT NULL DEFAULT false
);
CREATE TABLE directus_access (
    id uuid PRIMARY KEY, role uuid REFERENCES directus_roles ON DELETE CASCADE,
    "user" uuid REFERENCES directus_users ON DELETE CASCADE,
    policy uuid NOT NULL REFERENCES directus_policies ON DELETE CASCADE, sort integer
);
CREATE TABLE directus_permissions (
    id serial PRIMARY KEY, collection varchar(64) NOT NULL, action varchar(10) NOT NULL, permissions json,
    validation json, presets json, fields text, policy uuid NOT NULL REFERENCES directus_policies ON DELETE CASCADE
);
CREATE TABLE directus_folders (
    id uuid PRIMARY KEY, name varchar(255) NOT NULL, parent uuid REFERENCES directus_folders
);
CREATE TABLE directus_files (
    id uuid PRIMARY KEY, storage varchar(255) NOT NULL, filename_disk varchar(255),
    filename_download varchar(255) NOT NULL, title varchar(255), type varchar(255),
    folder uuid REFERENCES directus_folders ON DELETE SET NULL, uploaded_by uuid REFERENCES directus_users,
    created_on timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP, modified_by uuid REFERENCES directus_users,
    modified_on timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP, charset varchar(50), filesize bigint, width integer,
    height integer, duration integer, embed varchar(200), description text, location text, tags text, metadata json,
    focal_point_x integer, focal_point_y integer, tus_id varchar(64), tus_data json, uploaded_on timestamptz
);
CREATE TABLE directus_collections (
    collection varchar(64) PRIMARY KEY, icon varchar(64), note text, display_template varchar(255),
    hidden boolean NOT NULL DEFAULT false, singleton boolean NOT NULL DEFAULT false, translations json,
    archive_field varchar(64), archive_app_filter boolean NOT NULL DEFAULT true, archive_value varchar(255),
    unarchive_value varchar(255), sort_field varchar(64), accountability varchar(255) DEFAULT 'all',
    color varchar(255), item_duplication_fields json, sort integer,
    "group" varchar(64) REFERENCES directus_collections, collapse varchar(255) NOT NULL DEFAULT 'open',
    preview_url varchar(255), versioning boolean NOT NULL DEFAULT false
);
CREATE TABLE directus_fields (
    id serial PRIMARY KEY, collection varchar(64) NOT NULL, field varchar(64) NOT NULL, special varchar(64),
    interface varchar(64), options json, display varchar(64), display_options json,
    readonly boolean NOT NULL DEFAULT false, hidden boolean NOT NULL DEFAULT false, sort integer,
    width varchar(30) DEFAULT 'full', translations json, note text, conditions json, required boolean DEFAULT false,
    "group" varchar(64), validation json, validation_message text
);
CREATE TABLE directus_relations (
    id serial PRIMARY KEY, many_collection varchar(64) NOT NULL, many_field varchar(64) NOT NULL,
    one_collection varchar(64), one_field varchar(64), one_collection_field varchar(64), one_allowed_collections text,
    junction_field varchar(64), sort_field varchar(64), one_deselect_action varchar(255) NOT NULL DEFAULT 'nullify'
);
CREATE TABLE directus_activity (
    id serial PRIMARY KEY, action varchar(45) NOT NULL, "user" uuid,
    "timestamp" timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP, ip varchar(50), user_agent text,
    collection varchar(64) NOT NULL, item varchar(255) NOT NULL, origin varchar(255)
);
CREATE INDEX directus_activity_timestamp_index ON directus_activity ("timestamp");
CREATE TABLE directus_versions (
    id uuid PRIMARY KEY, key varchar(64) NOT NULL, name varchar(255),
    collection varchar(64) NOT NULL REFERENCES directus_collections ON DELETE CASCADE, item varchar(255) NOT NULL,
    hash varchar(255), date_created timestamptz DEFAULT CURRENT_TIMESTAMP,
    date_updated timestamptz DEFAULT CURRENT_TIMESTAMP,
    user_created uuid REFERENCES directus_users ON DELETE SET NULL, user_updated uuid REFERENCES directus_users,
    delta json
);
CREATE TABLE directus_revisions (
    id serial PRIMARY KEY, activity integer NOT NULL REFERENCES directus_activity ON DELETE CASCADE,
    collection varchar(64) NOT NULL, item varchar(255) NOT NULL, data json, delta json,
    parent integer REFERENCES directus_revisions,
    version uuid REFERENCES directus_versions ON DELETE CASCADE
);
CREATE TABLE directus_flows (
    id uuid PRIMARY KEY, name varchar(255) NOT NULL, icon varchar(64), color varchar(255), description text,
    status varchar(255) NOT NULL DEFAULT 'active', trigger varchar(255), accountability varchar(255) DEFAULT 'all',
    options json, operation uuid UNIQUE, date_created timestamptz DEFAULT CURRENT_TIMESTAMP,
    user_created uuid REFERENCES directus_users ON DELETE SET NULL
);
CREATE TABLE directus_operations (
    id uuid PRIMARY KEY, name varchar(255), key varchar(255) NOT NULL, type varchar(255) NOT NULL,
    position_x integer NOT NULL, position_y integer NOT NULL, options json,
    resolve uuid UNIQUE REFERENCES directus_operations, reject uuid UNIQUE REFERENCES directus_operations,
    flow uuid NOT NULL REFERENCES directus_flows ON DELETE CASCADE,
    date_created timestamptz DEFAULT CURRENT_TIMESTAMP, user_created uuid REFERENCES directus_users ON DELETE SET NULL
);
CREATE TABLE directus_presets (
    id serial PRIMARY KEY, bookmark varchar(255), "user" uuid REFERENCES directus_users ON DELETE CASCADE,
    role uuid REFERENCES directus_roles ON DELETE CASCADE, collection varchar(64), search varchar(100),
    layout varchar(100) DEFAULT 'tabular', layout_query json, layout_options json, refresh_interval integer,
    filter json, icon varchar(64) DEFAULT 'bookmark', color varchar(255)
);
CREATE TABLE directus_shares (
    id uuid PRIMARY KEY, name varchar(255),
    collection varchar(64) NOT NULL REFERENCES directus_collections ON DELETE CASCADE, item varchar(255) NOT NULL,
    role uuid REFERENCES directus_roles ON DELETE CASCADE, password varchar(255),
    user_created uuid REFERENCES directus_users ON DELETE SET NULL,
    date_created timestamptz DEFAULT CURRENT_TIMESTAMP, date_start timestamptz, date_end timestamptz,
    times_used integer DEFAULT 0, max_uses integer
);
CREATE TABLE directus_sessions (
    token varchar(64) PRIMARY KEY, "user" uuid REFERENCES directus_users ON DELETE CASCADE,
    expires timestamptz NOT NULL, ip varchar(255), user_agent text,
    share uuid REFERENCES directus_shares ON DELETE CASCADE, origin varchar(255), next_token varchar(64)
);
CREATE TABLE directus_settings (
    id serial PRIMARY KEY, project_name varchar(100) NOT NULL DEFAULT 'Directus', project_url varchar(255),
    project_color varchar(255) NOT NULL DEFAULT '#6644FF', project_logo uuid REFERENCES directus_files,
    public_note text, auth_login_attempts integer DEFAULT 25, auth_password_policy varchar(100),
    storage_asset_transform varchar(7) DEFAULT 'all', storage_asset_presets json, custom_css text,
    storage_default_folder uuid REFERENCES directus_folders ON DELETE SET NULL, basemaps json, mapbox_key varchar(255),
    module_bar json, project_descriptor varchar(100), default_language varchar(255) NOT NULL DEFAULT 'en-US',
    default_appearance varchar(255) NOT NULL DEFAULT 'auto', report_error_url varchar(255),
    public_registration boolean NOT NULL DEFAULT false,
    public_registration_role uuid REFERENCES directus_roles ON DELETE SET NULL
);
CREATE TABLE directus_webhooks (
    id serial PRIMARY KEY, name varchar(255) NOT NULL, method varchar(10) NOT NULL DEFAULT 'POST',
    url varchar(255) NOT NULL, status varchar(10) NOT NULL DEFAULT 'active', data boolean NOT NULL DEFAULT true,
    actions varchar(100) NOT NULL, collections varchar(255) NOT NULL, headers json,
    was_active_before_deprecation boolean NOT NULL DEFAULT false,
    migrated_flow uuid REFERENCES directus_flows ON DELETE SET NULL
);
CREATE TABLE directus_dashboards (
    id uuid PRIMARY KEY, name varchar(255) NOT NULL, icon varchar(64) NOT NULL DEFAULT 'dashboard', note text,
    date_created timestamptz DEFAULT CURRENT_TIMESTAMP, user_created uuid REFERENCES directus_users ON DELETE SET NULL,
    color varchar(255)
);
CREATE TABLE directus_panels (
    id uuid PRIMARY KEY, dashboard uuid NOT NULL REFERENCES directus_dashboards ON DELETE CASCADE, name varchar(255),
    icon varchar(64), color varchar(10), show_header boolean NOT NULL DEFAULT false, note text,
    type varchar(255) NOT NULL, position_x integer NOT NULL, position_y integer NOT NULL, width integer NOT NULL,
    height integer NOT NULL, options json, date_created timestamptz DEFAULT CURRENT_TIMESTAMP,
    user_created uuid REFERENCES directus_users ON DELETE SET NULL
);
CREATE TABLE directus_notifications (
    id serial PRIMARY KEY, "timestamp" timestamptz DEFAULT CURRENT_TIMESTAMP, status varchar(255) DEFAULT 'inbox',
    recipient uuid NOT NULL REFERENCES directus_users ON DELETE CASCADE, sender uuid REFERENCES directus_users,
    subject varchar(255) NOT NULL, message text, collection varchar(64), item varchar(255)
);
CREATE TABLE directus_comments (
    id uuid PRIMARY KEY, collection varchar(64) NOT NULL, item varchar(255) NOT NULL, comment text NOT NULL,
    date_created timestamptz DEFAULT CURRENT_TIMESTAMP, date_updated timestamptz DEFAULT CURRENT_TIMESTAMP,
    user_created uuid REFERENCES directus_users ON DELETE SET NULL, user_updated uuid REFERENCES directus_users
);
CREATE TABLE directus_translations (
    id uuid PRIMARY KEY, language varchar(255) NOT NULL, key varchar(255) NOT NULL, value text NOT NULL
);
CREATE TABLE directus_extensions (
    enabled boolean NOT NULL DEFAULT true, id uuid PRIMARY KEY, folder varchar(255) NOT NULL,
    source varchar(255) NOT NULL, bundle uuid
);
CREATE TABLE directus_migrations (
    version varchar(255) PRIMARY KEY, name varchar(255) NOT NULL, "timestamp" timestamptz DEFAULT CURRENT_TIMESTAMP
);
