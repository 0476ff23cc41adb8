BEGIN;

COMMIT;

-- Vaccine: restore the rows of public.issues (hash); writers of the table wait while this transaction runs

SET client_encoding = 'UTF8';
DO $vaccine$ BEGIN
    PERFORM pg_catalog.set_config('vaccine.' || s.name, pg_catalog.current_setting(s.name), false)
       FROM pg_catalog.pg_settings AS s
      WHERE s.name IN ('search_path', 'row_security', 'datestyle', 'lock_timeout', 'statement_timeout',
                       'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
                       'client_connection_check_interval');
    PERFORM pg_catalog.set_config(s.name, v.setting, false)
       FROM (VALUES ('datestyle', 'ISO'), ('transaction_timeout', '0'), ('idle_session_timeout', '0'),
                    ('client_connection_check_interval', '1s')) AS v (name, setting)
       JOIN pg_catalog.pg_settings AS s USING (name);
    PERFORM pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
        nullif(pg_catalog.current_setting('search_path'), ''), pg_catalog.quote_ident('public'), 'pg_temp'), false);
END $vaccine$;
SET row_security = off;


SET lock_timeout = '200ms';
SET statement_timeout = '300s';
SET idle_in_transaction_session_timeout = '5s';

DO $vaccine$ BEGIN
    PERFORM pg_catalog.set_config('vaccine.session', pg_catalog.pg_backend_pid()::text, false);
    PERFORM pg_catalog.set_config('vaccine.stopped',
        pg_catalog.current_setting('default_transaction_read_only'), false);
    PERFORM pg_catalog.set_config('default_transaction_read_only', 'on', false);
END $vaccine$;

BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'public';
    v_table CONSTANT text := 'issues';
    v_key_columns CONSTANT text[] := '{hash}';
    v_where CONSTANT text := 'status = ''open'' AND hash IS NOT NULL';
    v_first CONSTANT integer :=  -1128027646;
    v_second CONSTANT integer :=  -692183060;
    v_gates CONSTANT text[] := '{vaccine_gate_d49c99262f26e41e_insert,vaccine_gate_d49c99262f26e41e_update}';
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'public';
    v_table CONSTANT text := 'issues';
    v_key_columns CONSTANT text[] := '{hash}';
    v_where CONSTANT text := 'status = ''open'' AND hash IS NOT NULL';
    v_tries CONSTANT integer := 30;
    v_refused CONSTANT text := 'vaccine: the downgrade of public.issues (hash) is refused; nothing was changed';
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'public';
    v_table CONSTANT text := 'issues';
    v_key_columns CONSTANT text[] := '{hash}';
    v_where CONSTANT text := 'status = ''open'' AND hash IS NOT NULL';
    v_tries CONSTANT integer := 30;
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'public';
    v_table CONSTANT text := 'issues';
    v_key_columns CONSTANT text[] := '{hash}';
    v_where CONSTANT text := 'status = ''open'' AND hash IS NOT NULL';
    v_tries CONSTANT integer := 30;
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'public';
    v_table CONSTANT text := 'issues';
    v_key_columns CONSTANT text[] := '{hash}';
    v_where CONSTANT text := 'status = ''open'' AND hash IS NOT NULL';
    v_tries CONSTANT integer := 30;
    v_revision CONSTANT text := '4b1c2d3e4f50';
    v_plan CONSTANT text := '6f1c2e0a';
    v_restore CONSTANT text := 'keep';
    v_dry CONSTANT boolean := false;
    v_backup CONSTANT text := 'bring the schema vaccine back from a backup (pg_restore --schema=vaccine), then run this script again in a new session; or make it with `alembic -x vaccine.restore=lost downgrade ... --sql`: it restores what is still there';
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'public';
    v_table CONSTANT text := 'issues';
    v_key_columns CONSTANT text[] := '{hash}';
    v_where CONSTANT text := 'status = ''open'' AND hash IS NOT NULL';
    v_tries CONSTANT integer := 30;
…
$vaccine$;

SET default_transaction_read_only = off;

COMMIT;

DO $vaccine$ BEGIN
    PERFORM pg_catalog.pg_advisory_unlock( -1128027646,  -692183060) FROM pg_catalog.pg_locks AS l
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.pid = pg_catalog.pg_backend_pid()
        AND l.classid::int8 =  -1128027646 & 4294967295 AND l.objid::int8 =  -692183060 & 4294967295;
    PERFORM pg_catalog.set_config(s.name, pg_catalog.current_setting('vaccine.' || s.name), false)
       FROM pg_catalog.pg_settings AS s
      WHERE pg_catalog.current_setting('vaccine.' || s.name, true) IS NOT NULL;
END $vaccine$;


BEGIN;

COMMIT;
