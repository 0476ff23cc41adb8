WITH "vaccine after" AS (
INSERT INTO "vaccine"."images_1" AS "issues" ("vaccine_batch", "vaccine_row", "vaccine_image", "id", "hash", "status", "seen_at")
SELECT b."vaccine_batch", b."vaccine_row", 'after', "t"."id", "t"."hash", "t"."status", "t"."seen_at"
FROM "vaccine"."images_1" AS b JOIN ONLY "public"."issues" AS t ON "t"."id" = "b"."id"
WHERE b."vaccine_batch" = $1 AND b."vaccine_image" = 'before'
RETURNING ((status = 'open' AND hash IS NOT NULL
) AND pg_catalog.num_nulls("hash") = 0) IS TRUE AS live
)
SELECT count(*), count(*) FILTER (WHERE live) FROM "vaccine after"
