"""A row is joined to its old image, and PostgreSQL joins 1664 columns."""

from __future__ import annotations

from psycopg import sql

from ..table import MOST_COLUMNS
from .model import Check, of_table

CHECK = Check(
    "too-many-columns",
    "the table has {count} columns, Vaccine takes {most} at most: a row is joined to its old image, and PostgreSQL "
    "joins 1664 columns",
    "resolve the duplicates by hand, and create the index by hand",
    of_table(
        """SELECT t.count, {most} AS most FROM (
SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute AS a
 WHERE a.attrelid = (SELECT c.oid FROM {target}) AND a.attnum > 0 AND NOT a.attisdropped) AS t (count)
 WHERE t.count > {most}""",
        most=sql.Literal(MOST_COLUMNS),
    ),
    halts=True,
)
