
#variable_conflict use_column
BEGIN
    IF (SELECT (("stat'us" = 'op''en %s {}' -- a remark; DROP TABLE x
) AND pg_catalog.num_nulls("sel""ect", "order") = 0) FROM (SELECT new."sel""ect" AS "sel""ect", new."order" AS "order") AS changed) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    INSERT INTO "vaccine"."vaccine_gate_9a7a774e7557ea09_lock" AS held ("sel""ect", "order") VALUES ("new"."sel""ect", "new"."order")
        ON CONFLICT ("sel""ect", "order") DO UPDATE SET "sel""ect" = held."sel""ect", "order" = held."order";
    IF (SELECT pg_catalog.count(*) FROM (
            SELECT FROM ONLY "sch""éma %s"."vaccine row" AS changed WHERE changed."sel""ect" OPERATOR("pg_catalog".=) new."sel""ect" AND changed."order" OPERATOR("pg_catalog".=) new."order" AND (("stat'us" = 'op''en %s {}' -- a remark; DROP TABLE x
) AND pg_catalog.num_nulls("sel""ect", "order") = 0) LIMIT 2) AS twice) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = 'duplicate key value violates unique constraint "uq"%s é"', DETAIL = 'Key (sel"ect, order)=('
            || pg_catalog.concat_ws(', ', "new"."sel""ect", "new"."order") || ') already exists.',
            CONSTRAINT = 'uq"%s é', TABLE = 'vaccine row', SCHEMA = 'sch"éma %s';
    END IF;
    RETURN NULL;
END
