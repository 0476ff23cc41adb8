WITH "vaccine after" AS (
INSERT INTO "vaccine"."images_1" AS "vaccine row" ("vaccine_batch_", "vaccine_row", "vaccine_image", "%s", "pa""rt", "sel""ect", "order", "stat'us", "left
at", "gone", "vaccine_n", "vaccine_batch", "vaccine_p0")
SELECT b."vaccine_batch_", b."vaccine_row", 'after', "t"."%s", "t"."pa""rt", "t"."sel""ect", "t"."order", "t"."stat'us", "t"."left
at", "t"."gone", "t"."vaccine_n", "t"."vaccine_batch", "t"."vaccine_p0"
FROM "vaccine"."images_1" AS b JOIN ONLY "sch""éma %s"."vaccine row" AS t ON "t"."%s" = "b"."%s" AND "t"."pa""rt" = "b"."pa""rt"
WHERE b."vaccine_batch_" = $1 AND b."vaccine_image" = 'before'
RETURNING (("stat'us" = 'op''en %s {}' -- a remark; DROP TABLE x
) AND pg_catalog.num_nulls("sel""ect", "order") = 0) IS TRUE AS live
)
SELECT count(*), count(*) FILTER (WHERE live) FROM "vaccine after"
