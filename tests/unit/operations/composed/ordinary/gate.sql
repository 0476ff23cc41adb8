
#variable_conflict use_column
BEGIN
    IF (SELECT ((status = 'open' AND hash IS NOT NULL
) AND pg_catalog.num_nulls("hash") = 0) FROM (SELECT new."hash" AS "hash") AS changed) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    INSERT INTO "vaccine"."vaccine_gate_d49c99262f26e41e_lock" AS held ("hash") VALUES ("new"."hash")
        ON CONFLICT ("hash") DO UPDATE SET "hash" = held."hash";
    IF (SELECT pg_catalog.count(*) FROM (
            SELECT FROM ONLY "public"."issues" AS changed WHERE changed."hash" OPERATOR("pg_catalog".=) new."hash" AND ((status = 'open' AND hash IS NOT NULL
) AND pg_catalog.num_nulls("hash") = 0) LIMIT 2) AS twice) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = 'duplicate key value violates unique constraint "uq_issues_open_hash"', DETAIL = 'Key (hash)=('
            || pg_catalog.concat_ws(', ', "new"."hash") || ') already exists.',
            CONSTRAINT = 'uq_issues_open_hash', TABLE = 'issues', SCHEMA = 'public';
    END IF;
    RETURN NULL;
END
