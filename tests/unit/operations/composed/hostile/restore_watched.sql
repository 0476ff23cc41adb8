WITH "vaccine same" AS MATERIALIZED (
SELECT b."vaccine_row", t.ctid AS "vaccine_ctid", "b"."%s" AS "vaccine_c0", "b"."pa""rt" AS "vaccine_c1", "b"."sel""ect" AS "vaccine_c2", "b"."order" AS "vaccine_c3", "b"."stat'us" AS "vaccine_c4", "b"."left
at" AS "vaccine_c5", "b"."gone" AS "vaccine_c6", "b"."vaccine_n" AS "vaccine_c7", "b"."vaccine_batch" AS "vaccine_c8", "b"."vaccine_p0" AS "vaccine_c9", t."%s" AS "vaccine_p0_", t."pa""rt" AS "vaccine_p1"
FROM "vaccine"."images_1" AS b 
JOIN "vaccine"."images_1" AS a ON a."vaccine_batch_" = b."vaccine_batch_" AND a."vaccine_row" = b."vaccine_row" AND a."vaccine_image" = 'after'
JOIN ONLY "sch""éma %s"."vaccine row" AS t ON "t"."%s" = "b"."%s" AND "t"."pa""rt" = "b"."pa""rt"
WHERE b."vaccine_batch_" = $1 AND b."vaccine_row" > $2 AND b."vaccine_row" <= $3 AND b."vaccine_image" = 'before'
AND pg_catalog.record_image_eq(ROW("t"."%s", "t"."pa""rt", "t"."sel""ect", "t"."order", "t"."stat'us", "t"."left
at", "t"."gone", "t"."vaccine_n", "t"."vaccine_batch", "t"."vaccine_p0"), ROW("a"."%s", "a"."pa""rt", "a"."sel""ect", "a"."order", "a"."stat'us", "a"."left
at", "a"."gone", "a"."vaccine_n", "a"."vaccine_batch", "a"."vaccine_p0")) AND pg_catalog.record_image_eq(ROW("b"."%s", "b"."pa""rt", "b"."sel""ect", "b"."order", "b"."vaccine_n", "b"."vaccine_batch", "b"."vaccine_p0"), ROW("a"."%s", "a"."pa""rt", "a"."sel""ect", "a"."order", "a"."vaccine_n", "a"."vaccine_batch", "a"."vaccine_p0"))
ORDER BY b."vaccine_row" FOR NO KEY UPDATE OF t SKIP LOCKED
), "vaccine restored" AS (
UPDATE ONLY "sch""éma %s"."vaccine row" SET "stat'us" = "vaccine row_"."vaccine_c4", "left
at" = "vaccine row_"."vaccine_c5", "gone" = "vaccine row_"."vaccine_c6"
FROM "vaccine same" AS "vaccine row_"
WHERE "sch""éma %s"."vaccine row".ctid = "vaccine row_"."vaccine_ctid" AND "sch""éma %s"."vaccine row"."%s" = "vaccine row_"."vaccine_p0_" AND "sch""éma %s"."vaccine row"."pa""rt" = "vaccine row_"."vaccine_p1"
RETURNING "vaccine row_"."vaccine_row", CASE WHEN pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."%s", "sch""éma %s"."vaccine row"."pa""rt", "sch""éma %s"."vaccine row"."sel""ect", "sch""éma %s"."vaccine row"."order", "sch""éma %s"."vaccine row"."stat'us", "sch""éma %s"."vaccine row"."left
at", "sch""éma %s"."vaccine row"."gone", "sch""éma %s"."vaccine row"."vaccine_n", "sch""éma %s"."vaccine row"."vaccine_batch", "sch""éma %s"."vaccine row"."vaccine_p0"), ROW("vaccine row_"."vaccine_c0", "vaccine row_"."vaccine_c1", "vaccine row_"."vaccine_c2", "vaccine row_"."vaccine_c3", "vaccine row_"."vaccine_c4", "vaccine row_"."vaccine_c5", "vaccine row_"."vaccine_c6", "vaccine row_"."vaccine_c7", "vaccine row_"."vaccine_c8", "vaccine row_"."vaccine_c9")) THEN '{}'::text[] ELSE pg_catalog.array_remove(ARRAY[CASE WHEN NOT pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."%s"), ROW("vaccine row_"."vaccine_c0")) THEN '%s' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."pa""rt"), ROW("vaccine row_"."vaccine_c1")) THEN 'pa"rt' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."sel""ect"), ROW("vaccine row_"."vaccine_c2")) THEN 'sel"ect' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."order"), ROW("vaccine row_"."vaccine_c3")) THEN 'order' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."stat'us"), ROW("vaccine row_"."vaccine_c4")) THEN 'stat''us' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."left
at"), ROW("vaccine row_"."vaccine_c5")) THEN 'left
at' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."gone"), ROW("vaccine row_"."vaccine_c6")) THEN 'gone' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."vaccine_n"), ROW("vaccine row_"."vaccine_c7")) THEN 'vaccine_n' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."vaccine_batch"), ROW("vaccine row_"."vaccine_c8")) THEN 'vaccine_batch' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("sch""éma %s"."vaccine row"."vaccine_p0"), ROW("vaccine row_"."vaccine_c9")) THEN 'vaccine_p0' END]::text[], NULL) END AS "vaccine_astray"
)
SELECT ARRAY(SELECT "vaccine_row" FROM "vaccine same"),
ARRAY(SELECT "vaccine_row" FROM "vaccine same" EXCEPT SELECT "vaccine_row" FROM "vaccine restored"), ARRAY(SELECT DISTINCT u.name FROM "vaccine restored" AS o, pg_catalog.unnest(o."vaccine_astray") AS u (name) ORDER BY 1),
coalesce(pg_catalog.array_agg(r."vaccine_row") FILTER (WHERE r."vaccine_astray" <> '{}'), '{}'),
coalesce(pg_catalog.array_agg(r."vaccine_row") FILTER (WHERE r."vaccine_astray" && '{stat''us,"left
at",gone}'::text[]), '{}')
FROM "vaccine restored" AS r
