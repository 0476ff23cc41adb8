CREATE INDEX "uq_issues_open_hash" ON "public"."issues" ("hash") WHERE status = 'open' AND hash IS NOT NULL
