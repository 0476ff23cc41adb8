WITH "vaccine same" AS MATERIALIZED (
SELECT b."vaccine_row", t.ctid AS "vaccine_ctid", "b"."stat'us" AS "vaccine_c0", "b"."left
at" AS "vaccine_c1", "b"."gone" AS "vaccine_c2", t."%s" AS "vaccine_p0_", t."pa""rt" AS "vaccine_p1"
FROM "vaccine"."images_1" AS b JOIN ONLY "sch""éma %s"."vaccine row" AS t ON t.ctid = (SELECT j.left_at || '{}'::tid[] FROM vaccine.journal AS j WHERE j.batch = $1)[b."vaccine_row"] AND "t"."%s" = "b"."%s" AND "t"."pa""rt" = "b"."pa""rt"
WHERE b."vaccine_batch_" = $1 AND b."vaccine_row" > $2 AND b."vaccine_row" <= $3 AND b."vaccine_image" = 'before'
AND pg_catalog.record_image_eq(ROW("t"."%s", "t"."pa""rt", "t"."sel""ect", "t"."order", "t"."stat'us", "t"."left
at", "t"."gone", "t"."vaccine_n", "t"."vaccine_batch", "t"."vaccine_p0"), ROW(b."%s", b."pa""rt", b."sel""ect", b."order", (SELECT o."stat'us" FROM "vaccine"."images_1" AS o WHERE o."vaccine_batch_" = $1 AND o."vaccine_row" = 1 AND o."vaccine_image" = 'after'), (SELECT o."left
at" FROM "vaccine"."images_1" AS o WHERE o."vaccine_batch_" = $1 AND o."vaccine_row" = 1 AND o."vaccine_image" = 'after'), (SELECT o."gone" FROM "vaccine"."images_1" AS o WHERE o."vaccine_batch_" = $1 AND o."vaccine_row" = 1 AND o."vaccine_image" = 'after'), b."vaccine_n", b."vaccine_batch", b."vaccine_p0"))
ORDER BY b."vaccine_row" FOR NO KEY UPDATE OF t SKIP LOCKED
), "vaccine restored" AS (
UPDATE ONLY "sch""éma %s"."vaccine row" SET "stat'us" = "vaccine row_"."vaccine_c0", "left
at" = "vaccine row_"."vaccine_c1", "gone" = "vaccine row_"."vaccine_c2"
FROM "vaccine same" AS "vaccine row_"
WHERE "sch""éma %s"."vaccine row".ctid = "vaccine row_"."vaccine_ctid" AND "sch""éma %s"."vaccine row"."%s" = "vaccine row_"."vaccine_p0_" AND "sch""éma %s"."vaccine row"."pa""rt" = "vaccine row_"."vaccine_p1"
RETURNING "vaccine row_"."vaccine_row"
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
