WITH "vaccine restored" AS (
SELECT b."vaccine_row", CASE WHEN t.ctid IS NULL THEN '{status}'::text[] ELSE CASE WHEN pg_catalog.record_image_eq(ROW("t"."id", "t"."hash", "t"."status", "t"."seen_at"), ROW("b"."id", "b"."hash", "b"."status", "b"."seen_at")) THEN '{}'::text[] ELSE pg_catalog.array_remove(ARRAY[CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."id"), ROW("b"."id")) THEN 'id' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."hash"), ROW("b"."hash")) THEN 'hash' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."status"), ROW("b"."status")) THEN 'status' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."seen_at"), ROW("b"."seen_at")) THEN 'seen_at' END]::text[], NULL) END END AS "vaccine_astray"
FROM "vaccine"."images_1" AS b LEFT JOIN ONLY "public"."issues" AS t ON "t"."id" = "b"."id"
WHERE b."vaccine_batch" = $1 AND b."vaccine_image" = 'before' AND b."vaccine_row" = ANY ($2)
)
SELECT $2, '{}'::integer[], ARRAY(SELECT DISTINCT u.name FROM "vaccine restored" AS o, pg_catalog.unnest(o."vaccine_astray") AS u (name) ORDER BY 1),
coalesce(pg_catalog.array_agg(r."vaccine_row") FILTER (WHERE r."vaccine_astray" <> '{}'), '{}'),
coalesce(pg_catalog.array_agg(r."vaccine_row") FILTER (WHERE r."vaccine_astray" && '{status}'::text[]), '{}')
FROM "vaccine restored" AS r
