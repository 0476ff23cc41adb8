"""The Alembic environment that `vaccine init` copies. `run_migrations` is what its env.py calls: it never moves."""

from vaccine.revision.environment.run import run_migrations as run_migrations
