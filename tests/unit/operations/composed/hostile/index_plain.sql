CREATE INDEX "uq""%s é" ON "sch""éma %s"."vaccine row" ("sel""ect", "order") WHERE "stat'us" = 'op''en %s {}' -- a remark; DROP TABLE x
