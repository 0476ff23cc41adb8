WITH "vaccine same" AS MATERIALIZED (
SELECT b."vaccine_row", t.ctid AS "vaccine_ctid", "b"."stat'us" AS "vaccine_c0", "b"."left
at" AS "vaccine_c1", "b"."gone" AS "vaccine_c2", t."%s" AS "vaccine_p0_", t."pa""rt" AS "vaccine_p1"
FROM "vaccine"."images_1" AS b 
JOIN "vaccine"."images_1" AS a ON a."vaccine_batch_" = b."vaccine_batch_" AND a."vaccine_row" = b."vaccine_row" AND a."vaccine_image" = 'after'
JOIN ONLY "sch""éma %s"."vaccine row" AS t ON "t"."%s" = "b"."%s" AND "t"."pa""rt" = "b"."pa""rt"
WHERE b."vaccine_batch_" = $1 AND b."vaccine_row" > $2 AND b."vaccine_row" <= $3 AND b."vaccine_image" = 'before'
AND pg_catalog.record_image_eq(ROW("t"."%s", "t"."pa""rt", "t"."sel""ect", "t"."order", "t"."stat'us", "t"."left
at", "t"."gone", "t"."vaccine_n", "t"."vaccine_batch", "t"."vaccine_p0"), ROW("a"."%s", "a"."pa""rt", "a"."sel""ect", "a"."order", "a"."stat'us", "a"."left
at", "a"."gone", "a"."vaccine_n", "a"."vaccine_batch", "a"."vaccine_p0")) AND pg_catalog.record_image_eq(ROW("b"."%s", "b"."pa""rt", "b"."sel""ect", "b"."order", "b"."vaccine_n", "b"."vaccine_batch", "b"."vaccine_p0"), ROW("a"."%s", "a"."pa""rt", "a"."sel""ect", "a"."order", "a"."vaccine_n", "a"."vaccine_batch", "a"."vaccine_p0"))
ORDER BY b."vaccine_row" FOR NO KEY UPDATE OF t SKIP LOCKED
), "vaccine restored" AS (
UPDATE ONLY "sch""éma %s"."vaccine row" SET "stat'us" = "vaccine row_"."vaccine_c0", "left
at" = "vaccine row_"."vaccine_c1", "gone" = "vaccine row_"."vaccine_c2"
FROM "vaccine same" AS "vaccine row_"
WHERE "sch""éma %s"."vaccine row".ctid = "vaccine row_"."vaccine_ctid" AND "sch""éma %s"."vaccine row"."%s" = "vaccine row_"."vaccine_p0_" AND "sch""éma %s"."vaccine row"."pa""rt" = "vaccine row_"."vaccine_p1"
RETURNING "vaccine row_"."vaccine_row", '{}'::text[] AS "vaccine_astray"
)
SELECT ARRAY(SELECT "vaccine_row" FROM "vaccine same"),
ARRAY(SELECT "vaccine_row" FROM "vaccine same" EXCEPT SELECT "vaccine_row" FROM "vaccine restored"), ARRAY(SELECT DISTINCT u.name FROM "vaccine restored" AS o, pg_catalog.unnest(o."vaccine_astray") AS u (name) ORDER BY 1),
coalesce(pg_catalog.array_agg(r."vaccine_row") FILTER (WHERE r."vaccine_astray" <> '{}'), '{}'),
coalesce(pg_catalog.array_agg(r."vaccine_row") FILTER (WHERE r."vaccine_astray" && '{stat''us,"left
at",gone}'::text[]), '{}')
FROM "vaccine restored" AS r
