-- Who created items of each collection through Directus in the last 90 days that it has a record of.
SELECT a.collection, coalesce(nullif(a.user_agent, ''), 'no user agent') AS agent, count(*) AS items, max(a."timestamp") AS last_at
  FROM {activity} a
 WHERE a.action = 'create'
   AND a.collection IS NOT NULL
   AND a."timestamp" > (SELECT max(b."timestamp") FROM {activity} b) - interval '90 days'
 GROUP BY a.collection, 2
 ORDER BY a.collection, 3 DESC
