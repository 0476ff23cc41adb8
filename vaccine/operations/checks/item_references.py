"""Directus refers to rows without a foreign key: `collection` names the table, `item` the primary key as text.

Its comments, activity, revisions and shares do so, and the junction tables of many-to-any fields.
"""

from __future__ import annotations

from .model import Check, Stage
from .of_rows import of_rows

CHECK = Check(
    "item-references",
    "{source} refers to rows of this table by collection and item, without a foreign key",
    "they go on referring to rows that are retired: Directus shows them there, not at the survivor",
    of_rows(
        """SELECT r.oid::pg_catalog.regclass AS source, ARRAY[pg_catalog.concat(
       'SELECT pg_catalog.format(''%s rows there refer to rows that would be resolved'', pg_catalog.count(*)) FROM ',
       r.oid::pg_catalog.regclass, ' AS vaccine_child WHERE vaccine_child.collection = ',
       pg_catalog.quote_literal(p.relname), ' AND vaccine_child.item::text IN (SELECT f.', p.pk, '::text FROM (',
       p.found, ') AS f) HAVING pg_catalog.count(*) > 0')] AS statements
  FROM p
  JOIN pg_catalog.pg_class AS r ON r.relkind IN ('r', 'p') AND NOT r.relispartition AND r.oid <> p.oid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace AND n.nspname = p.nspname
 WHERE p.pk_width = 1
   AND EXISTS (SELECT FROM pg_catalog.pg_class AS d WHERE d.relnamespace = n.oid AND d.relname = 'directus_collections')
   AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute AS a
          JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid AND t.typcategory = 'S'
         WHERE a.attrelid = r.oid AND a.attname IN ('collection', 'item') AND NOT a.attisdropped) = 2
 ORDER BY 1"""
    ),
    Stage.ROWS,
    blocking=False,
    probe=True,
    ignores=("42", "22"),
)
