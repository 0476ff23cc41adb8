"""`alembic … --sql`: the same statements as one script for psql."""
