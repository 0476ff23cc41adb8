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
}
_OWNERS = {name: whose for whose, names in _BY_NAME.items() for name in names}
_PREFIXES = {"directus_": "Directus", "django_": "Django"}
_SCHEMAS = {"vaccine": "Vaccine", "cron": "pg_cron", "hdb_catalog": "Hasura", "_timescaledb_catalog": "TimescaleDB"}


def owner(schema: str, table: str) -> str | None:
    """Whose table it is, such as "Directus"; None for the application's own."""
    if schema in _SCHEMAS:
        return _SCHEMAS[schema]
    for prefix, whose in _PREFIXES.items():
        if table.startswith(prefix):
            return whose
    return _OWNERS.get(table)
