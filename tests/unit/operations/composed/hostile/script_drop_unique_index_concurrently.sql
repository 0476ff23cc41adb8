BEGIN;

COMMIT;

-- Vaccine: drop uq"%s é; writers go on

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
        nullif(pg_catalog.current_setting('search_path'), ''), pg_catalog.quote_ident('sch"éma %s'), 'pg_temp'), false);
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
    v_schema CONSTANT text := 'sch"éma %s';
    v_table CONSTANT text := 'vaccine row';
    v_key_columns CONSTANT text[] :=  E'{"sel\\"ect",order}';
    v_where CONSTANT text := '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x';
    v_first CONSTANT integer :=  -1128027646;
    v_second CONSTANT integer := 1488267347;
    v_gates CONSTANT text[] := '{vaccine_gate_9a7a774e7557ea09_insert,vaccine_gate_9a7a774e7557ea09_update}';
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'sch"éma %s';
    v_table CONSTANT text := 'vaccine row';
    v_key_columns CONSTANT text[] :=  E'{"sel\\"ect",order}';
    v_where CONSTANT text := '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x';
    v_tries CONSTANT integer := 30;
    v_refused CONSTANT text := 'vaccine: the downgrade of sch"éma %s.vaccine row (sel"ect, order) is refused; nothing was changed';
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'sch"éma %s';
    v_table CONSTANT text := 'vaccine row';
    v_key_columns CONSTANT text[] :=  E'{"sel\\"ect",order}';
    v_where CONSTANT text := '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x';
    v_tries CONSTANT integer := 30;
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'sch"éma %s';
    v_table CONSTANT text := 'vaccine row';
    v_key_columns CONSTANT text[] :=  E'{"sel\\"ect",order}';
    v_where CONSTANT text := '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x';
    v_tries CONSTANT integer := 30;
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'sch"éma %s';
    v_table CONSTANT text := 'vaccine row';
    v_key_columns CONSTANT text[] :=  E'{"sel\\"ect",order}';
    v_where CONSTANT text := '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x';
    v_tries CONSTANT integer := 30;
    v_revision CONSTANT text := '4b1c2d3e4f50';
    v_plan CONSTANT text := NULL;
    v_restore CONSTANT text := 'keep';
    v_dry CONSTANT boolean := true;
    v_backup CONSTANT text := 'bring the schema vaccine back from a backup (pg_restore --schema=vaccine), then run this script again in a new session; or make it with `alembic -x vaccine.restore=lost downgrade ... --sql`: it restores what is still there';
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'sch"éma %s';
    v_table CONSTANT text := 'vaccine row';
    v_key_columns CONSTANT text[] :=  E'{"sel\\"ect",order}';
    v_where CONSTANT text := '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x';
    v_tries CONSTANT integer := 30;
    v_name CONSTANT text := 'uq"%s é';
…
$vaccine$;

SET default_transaction_read_only = off;

COMMIT;

SET lock_timeout = '0';
SET statement_timeout = '0';
SET idle_in_transaction_session_timeout = '5s';

DROP INDEX CONCURRENTLY IF EXISTS "sch""éma %s"."uq""%s é";

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
    v_schema CONSTANT text := 'sch"éma %s';
    v_table CONSTANT text := 'vaccine row';
    v_key_columns CONSTANT text[] :=  E'{"sel\\"ect",order}';
    v_where CONSTANT text := '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x';
    v_first CONSTANT integer :=  -1128027646;
    v_second CONSTANT integer := 1488267347;
    v_gates CONSTANT text[] := '{vaccine_gate_9a7a774e7557ea09_insert,vaccine_gate_9a7a774e7557ea09_update}';
…
$vaccine$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'sch"éma %s';
    v_table CONSTANT text := 'vaccine row';
    v_key_columns CONSTANT text[] :=  E'{"sel\\"ect",order}';
    v_where CONSTANT text := '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x';
    v_name CONSTANT text := 'uq"%s é';
BEGIN
    IF pg_catalog.to_regclass(pg_catalog.format('%I.%I', v_schema, v_name)) IS NOT NULL THEN
        RAISE EXCEPTION 'vaccine: the index %.% is still there; the downgrade is not stamped', v_schema, v_name
            USING HINT = 'see the errors above, remove the cause, and run this script again in a new session';
    END IF;
END
$vaccine$;

SET default_transaction_read_only = off;

COMMIT;

DO $vaccine$ BEGIN
    PERFORM pg_catalog.pg_advisory_unlock( -1128027646, 1488267347) FROM pg_catalog.pg_locks AS l
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.pid = pg_catalog.pg_backend_pid()
        AND l.classid::int8 =  -1128027646 & 4294967295 AND l.objid::int8 = 1488267347 & 4294967295;
    PERFORM pg_catalog.set_config(s.name, pg_catalog.current_setting('vaccine.' || s.name), false)
       FROM pg_catalog.pg_settings AS s
      WHERE pg_catalog.current_setting('vaccine.' || s.name, true) IS NOT NULL;
END $vaccine$;


BEGIN;

COMMIT;
