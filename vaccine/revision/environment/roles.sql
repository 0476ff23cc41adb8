-- Two roles for Vaccine, for psql, as a superuser: psql -v database=app -v owner=app_owner -f roles.sql
-- `owner` owns the tables. Give each role a way in afterwards: \password vaccine_audit, or a line of pg_hba.conf.

-- For vaccine audit, check, plan, revision and journal: reads all tables, writes none.
CREATE ROLE vaccine_audit LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
GRANT pg_read_all_data, pg_read_all_stats TO vaccine_audit;  -- PostgreSQL 14 or newer
ALTER ROLE vaccine_audit SET default_transaction_read_only = on;
GRANT CONNECT ON DATABASE :"database" TO vaccine_audit;

-- For alembic upgrade and downgrade: acts as the owner of the tables, so that triggers and functions run with the rights
-- that they have anyway, and the journal belongs to the role that dumps the database.
CREATE ROLE vaccine_run LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
GRANT :"owner" TO vaccine_run;
ALTER ROLE vaccine_run IN DATABASE :"database" SET role = :"owner";
GRANT CONNECT ON DATABASE :"database" TO vaccine_run;
GRANT CREATE, TEMPORARY ON DATABASE :"database" TO :"owner";  -- for the schema vaccine and the work table
GRANT pg_read_all_stats TO :"owner";  -- who is in the way of an index build
