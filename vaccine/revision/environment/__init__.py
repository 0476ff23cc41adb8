"""The Alembic environment that `vaccine init` copies."""
