-- The values that Directus offers for a field.
SELECT f.collection,
       f.field,
       ARRAY(SELECT c.choice ->> 'value'
               FROM pg_catalog.jsonb_array_elements(f.options::jsonb -> 'choices') WITH ORDINALITY AS c(choice, n)
              WHERE pg_catalog.jsonb_typeof(c.choice) = 'object' AND c.choice ->> 'value' IS NOT NULL
              ORDER BY c.n) AS choices
  FROM {fields} f
 WHERE pg_catalog.jsonb_typeof(f.options::jsonb -> 'choices') = 'array'
 ORDER BY f.collection, f.field
