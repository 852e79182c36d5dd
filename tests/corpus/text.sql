-- Text functions as used on cost data.

-- name: text-like
select count(*), sum(amount) from costs where line_type like 'KAFKA%'

-- name: text-like-middle-and-single
select distinct line_type from costs where line_type like '%NUM_C%'

-- name: text-like-escape
select distinct line_type from costs where line_type like '%\_NUM\_%' escape '\'

-- name: text-not-like
select count(*) from costs where line_type not like '%STORAGE' and resource_id not like 'lkc-%'

-- name: text-ilike
select count(*) from costs where resource_name ilike '%PROD%' or product ilike 'kafka'

-- name: text-like-any-text
select count(*) filter (where resource_name like '%'), count(*) filter (where resource_name like '') from costs

-- name: text-split-part
select split_part("resource/id", '/', 1), split_part("resource/id", '/', 2), split_part("resource/id", '/', 3), count(*) from line_items group by 1, 2, 3

-- name: text-substr
select distinct substr(record_id, 1, 1), substr(billing_period, 6), left(billing_period, 4), right(billing_period, 2) from costs where billing_period >= '2026-10'

-- name: text-length-of-unicode
select distinct resource_name, length(resource_name), octet_length(resource_name) from costs
-- duckdb: select distinct resource_name, length(resource_name), strlen(resource_name) from costs

-- name: text-upper-lower
select distinct upper(product), lower(line_type) from costs

-- name: text-trim
select distinct trim(resource_name), ltrim(resource_name), rtrim(resource_name) from costs

-- name: text-replace-and-reverse
select distinct replace(line_type, '_', ' '), reverse(line_type) from costs

-- name: text-concat-ws-and-pipes
select distinct concat(product, ':', line_type), product || '/' || line_type, concat_ws('-', product, line_type) from costs

-- name: text-regexp-match
-- duckdb: select distinct resource_id from costs where regexp_matches(resource_id, '^l(kc|cc)-[a-z0-9]+$')
select distinct resource_id from costs where resource_id ~ '^l(kc|cc)-[a-z0-9]+$'

-- name: text-regexp-not-and-any-case
-- duckdb: select count(*) from costs where not regexp_matches(resource_id, '^lkc') and regexp_matches(line_type, 'throughput', 'i')
select count(*) from costs where resource_id !~ '^lkc' and line_type ~* 'throughput'

-- name: text-regexp-replace
select distinct regexp_replace(line_type, '_[A-Z]+$', ''), regexp_replace(line_type, '_', '.', 'g') from costs

-- name: text-starts-with-and-position
select distinct line_type, starts_with(line_type, 'KAFKA'), strpos(line_type, '_') from costs

-- name: text-lpad-rpad-repeat
select distinct lpad(product, 6, '.'), rpad(product, 12, '.'), repeat('ab', 2) from costs where product is not null

-- name: text-initcap-of-ascii
-- duckdb: select distinct upper(substr(product, 1, 1)) || lower(substr(product, 2)) from costs where product not like '%\_%' escape '\'
select distinct initcap(product) from costs where product not like '%\_%' escape '\'

-- name: text-translate
select distinct translate(line_type, 'AEIOU_', 'aeiou') from costs

-- name: text-with-quotes-and-backslashes
select distinct description, length(description), resource_name from costs
where description like '%"%' or strpos(description, '\') > 0 or strpos(resource_name, '\') > 0

-- name: text-quote-in-literal
select count(*), 'it''s', 'a\nb', '' from costs where description <> 'it''s'

-- name: text-compared-by-bytes
select count(*) filter (where resource_name < 'a'), count(*) filter (where resource_name > 'z'), count(*) filter (where resource_name between 'A' and 'Z') from costs

-- name: text-compared-with-unicode-literal
select count(*) from costs where resource_name like 'Z%ü%' or resource_name like '在庫%'

-- name: text-number-in-text-is-not-a-number
select count(*) from costs where cast(original_amount as varchar) = '5.5656'

-- name: text-cast-of-integers-and-booleans
select distinct cast(ordinal as varchar) as a, cast(ordinal > 0 as varchar) as b, cast(cast(ordinal as varchar) as integer) as c from costs

-- name: text-hash
select count(distinct md5(record_id)), min(md5(product)) from costs

-- name: text-case-label
select case when "action/usage_type" like '%STORAGE%' then 'storage' when "action/usage_type" in ('KAFKA_NUM_CKU', 'KAFKA_NUM_CKUS') then 'units' else 'rest' end as kind,
       sum("cost/cost") from line_items group by 1

-- name: text-chr-ascii
select chr(65), ascii('A'), ascii('ü'), chr(252)

-- name: text-long-in-list
select line_type, count(*) from costs where line_type in ('KAFKA_STORAGE', 'KAFKA_NUM_CKUS', 'CONNECT_NUM_TASKS', 'CONNECT_THROUGHPUT', 'AUDIT_LOG_READ', 'SUPPORT', 'NOTHING') group by 1

-- name: text-like-with-another-escape
-- error: escape_char
select count(*) from costs where description like '%!%' escape '!'
