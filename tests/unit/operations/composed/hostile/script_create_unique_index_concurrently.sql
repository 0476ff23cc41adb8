BEGIN;

COMMIT;

-- Vaccine: build uq"%s é; writers go on

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
    v_refused CONSTANT text := 'vaccine: the upgrade of sch"éma %s.vaccine row (sel"ect, order) is refused; nothing was changed';
…
$vaccine$;

DO $vaccine_$
DECLARE
    v_schema CONSTANT text := 'sch"éma %s';
    v_table CONSTANT text := 'vaccine row';
    v_key_columns CONSTANT text[] :=  E'{"sel\\"ect",order}';
    v_where CONSTANT text := '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x';
    v_tries CONSTANT integer := 30;
…
$vaccine_$;

DO $vaccine$
DECLARE
    v_schema CONSTANT text := 'sch"éma %s';
    v_table CONSTANT text := 'vaccine row';
    v_key_columns CONSTANT text[] :=  E'{"sel\\"ect",order}';
    v_where CONSTANT text := '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x';
    v_tries CONSTANT integer := 30;
    v_name CONSTANT text := 'uq"%s é';
    v_aside CONSTANT text := 'vaccine_leftover_385fdbb7';
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

INSERT INTO vaccine.vaccination AS v (version_table, revision, plan, key_digest, schema_name, table_name, key_columns, predicate, index_name, assign, after_batch, started_at) SELECT (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.oid = pg_catalog.to_regclass('"alembic_version"')), '4b1c2d3e4f50', 'pl''an', '1a928ac4fd4f94ba200f327d6fb889dc', 'sch"éma %s', 'vaccine row',  E'{"sel\\"ect",order}', '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x', 'uq"%s é',  E'{"stat''us": "re''solved %s {}\\\\ $vaccine$", "left\\nat": {"sql": "now() -- late"}, "gone": null}', coalesce(pg_catalog.max(j.batch), 0), pg_catalog.now() FROM vaccine.journal AS j ON CONFLICT (version_table, revision, plan, key_digest) DO UPDATE SET index_name = coalesce(excluded.index_name, v.index_name), assign = coalesce(excluded.assign, v.assign), ended_at = NULL, undone_at = NULL, after_batch = CASE WHEN v.undone_at IS NULL THEN v.after_batch ELSE excluded.after_batch END, resolved_rows = CASE WHEN v.undone_at IS NULL THEN v.resolved_rows ELSE 0 END, started_at = CASE WHEN v.undone_at IS NULL THEN v.started_at ELSE excluded.started_at END;

SET default_transaction_read_only = off;

COMMIT;

SET lock_timeout = '0';
SET statement_timeout = '0';
SET idle_in_transaction_session_timeout = '5s';

DROP INDEX CONCURRENTLY IF EXISTS "sch""éma %s"."vaccine_leftover_385fdbb7";

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "uq""%s é" ON "sch""éma %s"."vaccine row" ("sel""ect", "order") WHERE "stat'us" = 'op''en %s {}' -- a remark; DROP TABLE x
;

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
    v_name CONSTANT text := 'uq"%s é';
…
$vaccine$;

UPDATE vaccine.vaccination AS v SET ended_at = pg_catalog.clock_timestamp(), index_oid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', v.schema_name, v.index_name)) WHERE v.version_table = (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.oid = pg_catalog.to_regclass('"alembic_version"')) AND (v.revision, v.plan, v.key_digest) = ('4b1c2d3e4f50', 'pl''an', '1a928ac4fd4f94ba200f327d6fb889dc');

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
