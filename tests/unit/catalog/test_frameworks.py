"""Whose tables are left out by default, and whose are not."""

from __future__ import annotations

import pytest

from vaccine.catalog.frameworks import owner


@pytest.mark.parametrize(
    ("schema", "table", "whose"),
    [
        ("public", "directus_files", "Directus"),
        ("public", "django_session", "Django"),
        ("public", "alembic_version", "Alembic"),
        ("public", "schema_migrations", "Rails"),
        ("public", "ar_internal_metadata", "Rails"),
        ("public", "_prisma_migrations", "Prisma"),
        ("cron", "job", "pg_cron"),
        ("vaccine", "journal", "Vaccine"),
        ("public", "directus", None),
        ("public", "auth_user", None),
        ("public", "jobs", None),
        ("app", "journal", None),
    ],
)
def test_owners(schema: str, table: str, whose: str | None) -> None:
    assert owner(schema, table) == whose
