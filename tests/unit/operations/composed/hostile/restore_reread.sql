WITH "vaccine restored" AS (
SELECT b."vaccine_row", CASE WHEN t.ctid IS NULL THEN '{stat''us,"left
at",gone}'::text[] ELSE CASE WHEN pg_catalog.record_image_eq(ROW("t"."%s", "t"."pa""rt", "t"."sel""ect", "t"."order", "t"."stat'us", "t"."left
at", "t"."gone", "t"."vaccine_n", "t"."vaccine_batch", "t"."vaccine_p0"), ROW("b"."%s", "b"."pa""rt", "b"."sel""ect", "b"."order", "b"."stat'us", "b"."left
at", "b"."gone", "b"."vaccine_n", "b"."vaccine_batch", "b"."vaccine_p0")) THEN '{}'::text[] ELSE pg_catalog.array_remove(ARRAY[CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."%s"), ROW("b"."%s")) THEN '%s' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."pa""rt"), ROW("b"."pa""rt")) THEN 'pa"rt' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."sel""ect"), ROW("b"."sel""ect")) THEN 'sel"ect' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."order"), ROW("b"."order")) THEN 'order' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."stat'us"), ROW("b"."stat'us")) THEN 'stat''us' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."left
at"), ROW("b"."left
at")) THEN 'left
at' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."gone"), ROW("b"."gone")) THEN 'gone' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."vaccine_n"), ROW("b"."vaccine_n")) THEN 'vaccine_n' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."vaccine_batch"), ROW("b"."vaccine_batch")) THEN 'vaccine_batch' END, CASE WHEN NOT pg_catalog.record_image_eq(ROW("t"."vaccine_p0"), ROW("b"."vaccine_p0")) THEN 'vaccine_p0' END]::text[], NULL) END END AS "vaccine_astray"
FROM "vaccine"."images_1" AS b LEFT JOIN ONLY "sch""éma %s"."vaccine row" AS t ON "t"."%s" = "b"."%s" AND "t"."pa""rt" = "b"."pa""rt"
WHERE b."vaccine_batch_" = $1 AND b."vaccine_image" = 'before' AND b."vaccine_row" = ANY ($2)
)
SELECT $2, '{}'::integer[], ARRAY(SELECT DISTINCT u.name FROM "vaccine restored" AS o, pg_catalog.unnest(o."vaccine_astray") AS u (name) ORDER BY 1),
coalesce(pg_catalog.array_agg(r."vaccine_row") FILTER (WHERE r."vaccine_astray" <> '{}'), '{}'),
coalesce(pg_catalog.array_agg(r."vaccine_row") FILTER (WHERE r."vaccine_astray" && '{stat''us,"left
at",gone}'::text[]), '{}')
FROM "vaccine restored" AS r
