"""Tables that a framework or a tool owns and an application never writes by a logical key of its own."""

from __future__ import annotations

_BY_NAME = {
    "Alembic": ("alembic_version",),
    "Rails": ("schema_migrations", "ar_internal_metadata", "data_migrations"),
    "Flyway": ("flyway_schema_history",),
    "Liquibase": ("databasechangelog", "databasechangeloglock"),
    "Prisma": ("_prisma_migrations",),
    "Knex": ("knex_migrations", "knex_migrations_lock"),
    "Sequelize": ("SequelizeMeta",),
    "TypeORM": ("typeorm_metadata",),
    "Drizzle": ("__drizzle_migrations",),
    "Goose": ("goose_db_version", "goose_migrations"),
    "Diesel": ("__diesel_schema_migrations",),
    "sqlx": ("_sqlx_migrations",),
    "Entity Framework": ("__EFMigrationsHistory",),
    "PostGIS": ("spatial_ref_sys",),
    "Laravel": ("migrations", "password_resets", "password_reset_tokens", "failed_jobs", "job_batches"),
    "Doctrine": ("doctrine_migration_versions",),
    "Phinx": ("phinxlog",),
    "node-pg-migrate": ("pgmigrations",),
    "Kysely": ("kysely_migration", "kysely_migration_lock"),
    "MikroORM": ("mikro_orm_migrations",),
    "Play": ("play_evolutions", "play_evolutions_lock"),
    "yoyo": ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock"),
    "Atlas": ("atlas_schema_revisions",),
}
_OWNERS = {name: whose for whose, names in _BY_NAME.items() for name in names}
_PREFIXES = {"directus_": "Directus", "django_": "Django", "celery_": "Celery", "strapi_": "Strapi", "qrtz_": "Quartz"}
_SCHEMAS = {
    "vaccine": "Vaccine", "cron": "pg_cron", "hdb_catalog": "Hasura", "_timescaledb_catalog": "TimescaleDB",
    "_timescaledb_internal": "TimescaleDB", "_timescaledb_config": "TimescaleDB", "partman": "pg_partman",
    "sqitch": "Sqitch", "pgboss": "pg-boss", "graphile_worker": "Graphile Worker", "hangfire": "Hangfire",
    "atlas_schema_revisions": "Atlas",
}  # fmt: skip


def owner(schema: str, table: str) -> str | None:
    """Whose table it is, such as "Directus"; None for the application's own."""
    if schema in _SCHEMAS:
        return _SCHEMAS[schema]
    for prefix, whose in _PREFIXES.items():
        if table.startswith(prefix):
            return whose
    return _OWNERS.get(table)
