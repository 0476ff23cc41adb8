WITH "vaccine same" AS MATERIALIZED (
SELECT b."vaccine_row", t.ctid AS "vaccine_ctid", "b"."status" AS "vaccine_c0", t."id" AS "vaccine_p0"
FROM "vaccine"."images_1" AS b JOIN ONLY "public"."issues" AS t ON "t"."id" = "b"."id"
WHERE b."vaccine_batch" = $1 AND b."vaccine_row" > $2 AND b."vaccine_row" <= $3 AND b."vaccine_image" = 'before'
AND pg_catalog.record_image_eq(ROW("t"."id", "t"."hash", "t"."status", "t"."seen_at"), ROW(b."id", b."hash", (SELECT o."status" FROM "vaccine"."images_1" AS o WHERE o."vaccine_batch" = $1 AND o."vaccine_row" = 1 AND o."vaccine_image" = 'after'), b."seen_at"))
ORDER BY b."vaccine_row" FOR NO KEY UPDATE OF t SKIP LOCKED
), "vaccine restored" AS (
UPDATE ONLY "public"."issues" SET "status" = "vaccine row"."vaccine_c0"
FROM "vaccine same" AS "vaccine row"
WHERE "public"."issues".ctid = "vaccine row"."vaccine_ctid" AND "public"."issues"."id" = "vaccine row"."vaccine_p0"
RETURNING "vaccine row"."vaccine_row"
), "vaccine left" AS MATERIALIZED (
SELECT count(*) AS rows, CASE WHEN count(*) = $3 - $2 THEN '{}'::integer[]
ELSE ARRAY(SELECT n FROM pg_catalog.generate_series($2 + 1, $3) AS g (n)
EXCEPT SELECT "vaccine_row" FROM "vaccine restored" ORDER BY 1) END AS places
FROM "vaccine restored"
), "vaccine noted" AS (
UPDATE vaccine.journal AS j SET restored_count = j.restored_count + l.rows, restore_cursor = $3,
skipped_rows = j.skipped_rows || l.places, restored_at = pg_catalog.clock_timestamp(),
outcome = CASE WHEN $3 >= j.row_count AND pg_catalog.cardinality(j.skipped_rows || l.places) = 0
THEN 'restored' ELSE 'restoring' END
FROM "vaccine left" AS l WHERE j.batch = $1
)
SELECT l.rows, l.places FROM "vaccine left" AS l
