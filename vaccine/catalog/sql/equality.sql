-- For each column of one table: the operator by which its type's default operator class tells equal values.
WITH RECURSIVE base (attname, type) AS (
       SELECT a.attname, a.atttypid
         FROM pg_catalog.pg_attribute a
         JOIN pg_catalog.pg_class r ON r.oid = a.attrelid
         JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace
        WHERE s.nspname = %(schema)s AND r.relname = %(table)s AND a.attnum > 0 AND NOT a.attisdropped
       UNION ALL
       SELECT b.attname, t.typbasetype
         FROM base b
         JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd')
SELECT b.attname::text AS name, coalesce(n.nspname, 'pg_catalog')::text AS schema, coalesce(o.oprname, '=')::text AS operator
  FROM base b
  JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype <> 'd'
  LEFT JOIN (pg_catalog.pg_opclass c
             JOIN pg_catalog.pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
             JOIN pg_catalog.pg_amop x ON x.amopfamily = c.opcfamily AND x.amopstrategy = 3
                                      AND x.amoplefttype = c.opcintype AND x.amoprighttype = c.opcintype
             JOIN pg_catalog.pg_operator o ON o.oid = x.amopopr
             JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace)
         ON c.opcintype = t.oid AND c.opcdefault;
