WITH "vaccine number" AS MATERIALIZED (
SELECT pg_catalog.nextval('vaccine.journal_batch_seq') AS "vaccine_batch"
), "vaccine locked" AS MATERIALIZED (
SELECT pg_catalog.row_number() OVER () AS "vaccine_row", "vaccine row".* FROM (
SELECT "w"."vaccine_n", "w"."vaccine_p0", "w"."vaccine_s0", t.ctid AS "vaccine_p_ctid", t."id" AS "vaccine_o0", t."hash" AS "vaccine_o1", t."status" AS "vaccine_o2", t."seen_at" AS "vaccine_o3"
FROM "pg_temp"."vaccine_work" AS w
JOIN ONLY "public"."issues" AS t ON t.ctid = w."vaccine_p_ctid" AND t.xmin = w."vaccine_p_xmin" AND "t"."id" = "w"."vaccine_p0"
JOIN ONLY "public"."issues" AS s ON s.ctid = w."vaccine_s_ctid" AND s.xmin = w."vaccine_s_xmin" AND "s"."id" = "w"."vaccine_s0"
WHERE w."vaccine_n" > $1 AND w."vaccine_n" <= $2
ORDER BY w."vaccine_n" FOR NO KEY UPDATE OF t SKIP LOCKED) AS "vaccine row"
), "vaccine changed" AS (
UPDATE ONLY "public"."issues" SET "status" = 'resolved'
FROM (SELECT "vaccine_row", "vaccine_p0", "vaccine_p_ctid" FROM "vaccine locked") AS "vaccine row"
WHERE "public"."issues".ctid = "vaccine row"."vaccine_p_ctid" AND "public"."issues"."id" = "vaccine row"."vaccine_p0"
RETURNING "vaccine row"."vaccine_row", "public"."issues"."id" AS "vaccine_v0", "public"."issues"."hash" AS "vaccine_v1", "public"."issues"."status" AS "vaccine_v2", "public"."issues"."seen_at" AS "vaccine_v3", ((status = 'open' AND hash IS NOT NULL
) AND pg_catalog.num_nulls("hash") = 0) IS TRUE AS "vaccine_live"
), "vaccine before" AS (
INSERT INTO "vaccine"."images_1" AS "issues" ("vaccine_batch", "vaccine_row", "vaccine_image", "id", "hash", "status", "seen_at")
SELECT (SELECT "vaccine_batch" FROM "vaccine number"), r."vaccine_row", 'before', "r"."vaccine_o0", "r"."vaccine_o1", "r"."vaccine_o2", "r"."vaccine_o3" FROM "vaccine locked" AS r
), "vaccine noted" AS (
INSERT INTO vaccine.journal (batch, revision, plan, schema_name, table_name, key_columns, predicate, images, shared_columns, left_at, row_count, primary_keys, survivors, started_at, resolved_at, outcome)
SELECT (SELECT "vaccine_batch" FROM "vaccine number"), '4b1c2d3e4f50', '6f1c2e0a', 'public', 'issues', '{hash}', 'status = ''open'' AND hash IS NOT NULL', 'images_1', '{}', NULL::tid[], count(*), pg_catalog.to_jsonb(pg_catalog.array_agg(ARRAY["r"."vaccine_p0"::text] ORDER BY r."vaccine_row")), pg_catalog.to_jsonb(pg_catalog.array_agg(ARRAY["r"."vaccine_s0"::text] ORDER BY r."vaccine_row")), pg_catalog.now(), pg_catalog.clock_timestamp(), 'resolved'
FROM "vaccine locked" AS r HAVING count(*) > 0
), "vaccine counted" AS (
UPDATE vaccine.vaccination AS v SET resolved_rows = v.resolved_rows + (SELECT count(*) FROM "vaccine locked") WHERE v.version_table = 'vaccine.alembic_version' AND (v.revision, v.plan, v.key_digest) = ('4b1c2d3e4f50', '6f1c2e0a', '875d03648ad8ad12ba63fb636230e2cf')
), "vaccine after" AS (
INSERT INTO "vaccine"."images_1" AS "issues" ("vaccine_batch", "vaccine_row", "vaccine_image", "id", "hash", "status", "seen_at")
SELECT (SELECT "vaccine_batch" FROM "vaccine number"), r."vaccine_row", 'after', "r"."vaccine_v0", "r"."vaccine_v1", "r"."vaccine_v2", "r"."vaccine_v3" FROM "vaccine changed" AS r
)
SELECT (SELECT "vaccine_batch" FROM "vaccine number"), l.rows, (SELECT count(*) FROM "vaccine changed"), (SELECT count(*) FROM "vaccine changed"), l.live,
CASE WHEN l.rows < $2 - $1 THEN l.places END
FROM (SELECT count(*), (SELECT count(*) FILTER (WHERE "vaccine_live") FROM "vaccine changed"), pg_catalog.array_agg("vaccine_n") FROM "vaccine locked") AS l (rows, live, places)
