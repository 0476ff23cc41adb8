-- Active Directus flows whose operations create items: by collection, or by a URL that names one.
SELECT coalesce(o.options::jsonb ->> 'collection', pg_catalog.substring(o.options::jsonb ->> 'url', '/items/([A-Za-z0-9_]+)')) AS collection,
       f.name,
       o.type
  FROM {operations} o
  JOIN {flows} f ON f.id = o.flow
 WHERE f.status = 'active'
   AND (o.type = 'item-create'
        OR o.type = 'request' AND pg_catalog.upper(coalesce(o.options::jsonb ->> 'method', '')) = 'POST'
           AND o.options::jsonb ->> 'url' ~ '/items/[A-Za-z0-9_]+')
 ORDER BY 1, f.name
