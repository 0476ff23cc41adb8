WITH "vaccine number" AS MATERIALIZED (
SELECT pg_catalog.nextval('vaccine.journal_batch_seq') AS "vaccine_batch_"
), "vaccine locked" AS MATERIALIZED (
SELECT pg_catalog.row_number() OVER () AS "vaccine_row", "vaccine row_".* FROM (
SELECT "w"."vaccine_n_", "w"."vaccine_p0_", "w"."vaccine_p1", "w"."vaccine_s0", "w"."vaccine_s1", t.ctid AS "vaccine_p_ctid", t."%s" AS "vaccine_o0", t."pa""rt" AS "vaccine_o1", t."sel""ect" AS "vaccine_o2", t."order" AS "vaccine_o3", t."stat'us" AS "vaccine_o4", t."left
at" AS "vaccine_o5", t."gone" AS "vaccine_o6", t."vaccine_n" AS "vaccine_o7", t."vaccine_batch" AS "vaccine_o8", t."vaccine_p0" AS "vaccine_o9"
FROM "pg_temp"."vaccine_work" AS w
JOIN ONLY "sch""éma %s"."vaccine row" AS t ON t.ctid = w."vaccine_p_ctid" AND t.xmin = w."vaccine_p_xmin" AND "t"."%s" = "w"."vaccine_p0_" AND "t"."pa""rt" = "w"."vaccine_p1"
JOIN ONLY "sch""éma %s"."vaccine row" AS s ON s.ctid = w."vaccine_s_ctid" AND s.xmin = w."vaccine_s_xmin" AND "s"."%s" = "w"."vaccine_s0" AND "s"."pa""rt" = "w"."vaccine_s1"
WHERE w."vaccine_n_" > $1 AND w."vaccine_n_" <= $2
ORDER BY w."vaccine_n_" FOR NO KEY UPDATE OF t SKIP LOCKED) AS "vaccine row_"
), "vaccine changed" AS (
UPDATE ONLY "sch""éma %s"."vaccine row" SET "stat'us" =  E're''solved %s {}\\ $vaccine$', "left
at" = now() -- late
, "gone" = NULL
FROM (SELECT "vaccine_row", "vaccine_p0_", "vaccine_p1", "vaccine_p_ctid" FROM "vaccine locked") AS "vaccine row_"
WHERE "sch""éma %s"."vaccine row".ctid = "vaccine row_"."vaccine_p_ctid" AND "sch""éma %s"."vaccine row"."%s" = "vaccine row_"."vaccine_p0_" AND "sch""éma %s"."vaccine row"."pa""rt" = "vaccine row_"."vaccine_p1"
RETURNING "vaccine row_"."vaccine_row", "sch""éma %s"."vaccine row"."%s" AS "vaccine_v0", "sch""éma %s"."vaccine row"."pa""rt" AS "vaccine_v1", "sch""éma %s"."vaccine row"."sel""ect" AS "vaccine_v2", "sch""éma %s"."vaccine row"."order" AS "vaccine_v3", "sch""éma %s"."vaccine row"."stat'us" AS "vaccine_v4", "sch""éma %s"."vaccine row"."left
at" AS "vaccine_v5", "sch""éma %s"."vaccine row"."gone" AS "vaccine_v6", "sch""éma %s"."vaccine row"."vaccine_n" AS "vaccine_v7", "sch""éma %s"."vaccine row"."vaccine_batch" AS "vaccine_v8", "sch""éma %s"."vaccine row"."vaccine_p0" AS "vaccine_v9", (("stat'us" = 'op''en %s {}' -- a remark; DROP TABLE x
) AND pg_catalog.num_nulls("sel""ect", "order") = 0) IS TRUE AS "vaccine_live"
), "vaccine before" AS (
INSERT INTO "vaccine"."images_1" AS "vaccine row" ("vaccine_batch_", "vaccine_row", "vaccine_image", "%s", "pa""rt", "sel""ect", "order", "stat'us", "left
at", "gone", "vaccine_n", "vaccine_batch", "vaccine_p0")
SELECT (SELECT "vaccine_batch_" FROM "vaccine number"), r."vaccine_row", 'before', "r"."vaccine_o0", "r"."vaccine_o1", "r"."vaccine_o2", "r"."vaccine_o3", "r"."vaccine_o4", "r"."vaccine_o5", "r"."vaccine_o6", "r"."vaccine_o7", "r"."vaccine_o8", "r"."vaccine_o9" FROM "vaccine locked" AS r
), "vaccine noted" AS (
INSERT INTO vaccine.journal (batch, revision, plan, schema_name, table_name, key_columns, predicate, images, shared_columns, left_at, row_count, primary_keys, survivors, started_at, resolved_at, outcome)
SELECT (SELECT "vaccine_batch_" FROM "vaccine number"), '4b1c2d3e4f50', 'pl''an', 'sch"éma %s', 'vaccine row',  E'{"sel\\"ect",order}', '"stat''us" = ''op''''en %s {}'' -- a remark; DROP TABLE x', 'images_1', '{}', NULL::tid[], count(*), pg_catalog.to_jsonb(pg_catalog.array_agg(ARRAY["r"."vaccine_p0_"::text, "r"."vaccine_p1"::text] ORDER BY r."vaccine_row")), pg_catalog.to_jsonb(pg_catalog.array_agg(ARRAY["r"."vaccine_s0"::text, "r"."vaccine_s1"::text] ORDER BY r."vaccine_row")), pg_catalog.now(), pg_catalog.clock_timestamp(), 'resolved'
FROM "vaccine locked" AS r HAVING count(*) > 0
), "vaccine counted" AS (
UPDATE vaccine.vaccination AS v SET resolved_rows = v.resolved_rows + (SELECT count(*) FROM "vaccine locked") WHERE v.version_table = 'vaccine.alembic_version' AND (v.revision, v.plan, v.key_digest) = ('4b1c2d3e4f50', 'pl''an', '1a928ac4fd4f94ba200f327d6fb889dc')
), "vaccine after" AS (
INSERT INTO "vaccine"."images_1" AS "vaccine row" ("vaccine_batch_", "vaccine_row", "vaccine_image", "%s", "pa""rt", "sel""ect", "order", "stat'us", "left
at", "gone", "vaccine_n", "vaccine_batch", "vaccine_p0")
SELECT (SELECT "vaccine_batch_" FROM "vaccine number"), r."vaccine_row", 'after', "r"."vaccine_v0", "r"."vaccine_v1", "r"."vaccine_v2", "r"."vaccine_v3", "r"."vaccine_v4", "r"."vaccine_v5", "r"."vaccine_v6", "r"."vaccine_v7", "r"."vaccine_v8", "r"."vaccine_v9" FROM "vaccine changed" AS r
)
SELECT (SELECT "vaccine_batch_" FROM "vaccine number"), l.rows, (SELECT count(*) FROM "vaccine changed"), (SELECT count(*) FROM "vaccine changed"), l.live,
CASE WHEN l.rows < $2 - $1 THEN l.places END
FROM (SELECT count(*), (SELECT count(*) FILTER (WHERE "vaccine_live") FROM "vaccine changed"), pg_catalog.array_agg("vaccine_n_") FROM "vaccine locked") AS l (rows, live, places)
