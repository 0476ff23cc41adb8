WITH "vaccine same" AS MATERIALIZED (
SELECT b."vaccine_row", t.ctid AS "vaccine_ctid", "b"."id" AS "vaccine_c0", "b"."hash" AS "vaccine_c1", "b"."status" AS "vaccine_c2", "b"."seen_at" AS "vaccine_c3", t."id" AS "vaccine_p0"
FROM "vaccine"."images_1" AS b 
JOIN "vaccine"."images_1" AS a ON a."vaccine_batch" = b."vaccine_batch" AND a."vaccine_row" = b."vaccine_row" AND a."vaccine_image" = 'after'
JOIN ONLY "public"."issues" AS t ON "t"."id" = "b"."id"
WHERE b."vaccine_batch" = $1 AND b."vaccine_row" > $2 AND b."vaccine_row" <= $3 AND b."vaccine_image" = 'before'
AND pg_catalog.record_image_eq(ROW("t"."id", "t"."hash", "t"."status", "t"."seen_at"), ROW("a"."id", "a"."hash", "a"."status", "a"."seen_at")) AND pg_catalog.record_image_eq(ROW("b"."id", "b"."hash", "b"."seen_at"), ROW("a"."id", "a"."hash", "a"."seen_at"))
ORDER BY b."vaccine_row" FOR NO KEY UPDATE OF t SKIP LOCKED
), "vaccine restored" AS (
UPDATE ONLY "public"."issues" SET "status" = "vaccine row"."vaccine_c2"
FROM "vaccine same" AS "vaccine row"
WHERE "public"."issues".ctid = "vaccine row"."vaccine_ctid" AND "public"."issues"."id" = "vaccine row"."vaccine_p0"
RETURNING "vaccine row"."vaccine_row", CASE WHEN pg_catalog.record_image_eq(ROW("public"."issues"."id", "public"."issues"."hash", "public"."issues"."status", "public"."issues"."seen_at"), ROW("vaccine row"."vaccine_c0", "vaccine row"."vaccine_c1", "vaccine row"."vaccine_c2", "vaccine row"."vaccine_c3")) THEN '{}'::text[] ELSE pg_catalog.array_remove(ARRAY[CASE WHEN NOT pg_catalog.record_image_eq(ROW("public"."issues"."id"), ROW("vaccine row"."vaccine_c0")) THEN 'id' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("public"."issues"."hash"), ROW("vaccine row"."vaccine_c1")) THEN 'hash' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("public"."issues"."status"), ROW("vaccine row"."vaccine_c2")) THEN 'status' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("public"."issues"."seen_at"), ROW("vaccine row"."vaccine_c3")) THEN 'seen_at' END]::text[], NULL) END AS "vaccine_astray"
)
SELECT ARRAY(SELECT "vaccine_row" FROM "vaccine same"),
ARRAY(SELECT "vaccine_row" FROM "vaccine same" EXCEPT SELECT "vaccine_row" FROM "vaccine restored"), ARRAY(SELECT DISTINCT u.name FROM "vaccine restored" AS o, pg_catalog.unnest(o."vaccine_astray") AS u (name) ORDER BY 1),
coalesce(pg_catalog.array_agg(r."vaccine_row") FILTER (WHERE r."vaccine_astray" <> '{}'), '{}'),
coalesce(pg_catalog.array_agg(r."vaccine_row") FILTER (WHERE r."vaccine_astray" && '{status}'::text[]), '{}')
FROM "vaccine restored" AS r
