"""Vaccine's Alembic environment. Options: `alembic -x url=…` and `-x vaccine.NAME=VALUE`.

Beside the words of run_migrations() whatever context.configure() takes may be given, such as target_metadata.
"""

from vaccine.revision.environment import run_migrations

run_migrations(version_table_schema="vaccine")
