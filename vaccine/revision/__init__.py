"""An approved plan → Alembic revisions, and the environment that they can live in."""
