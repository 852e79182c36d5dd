-- Newest known labels of resources, environments and connections. As in CloudZero with tags, they apply to all months.
--
-- One row per label: of the subject resource (id is a resource_id) the environment, the resource_name and tags, one
-- row for each tag_key; of the subject account (a resource/account of line items, such as an environment id) the
-- environment, which is its name; of the subject connection the cloud_provider, if billstream imports it. as_of is the
-- newest day with the value. daily_costs and all views over it show these values, through the function newest_label.

-- Line items are grouped by their texts first: sorting by time is for few rows.
with names as (
  select "resource/id" as id, "resource/tag:confluent_name" as value, max("time/usage_start") as newest
  from all_line_items
  where "resource/id" <> '' and "resource/tag:confluent_name" <> ''
  group by 1, 2
),

accounts as (
  select "resource/account" as id, "resource/tag:confluent_environment" as value, max("time/usage_start") as newest
  from all_line_items
  where "resource/account" <> connection and "resource/tag:confluent_environment" <> ''
  group by 1, 2
),

environments as (
  select id, last_value(value order by newest, value) as value, max(newest) as newest
  from accounts
  group by id
),

-- The account of costs without an environment is their connection.
places as (
  select
    "resource/id" as id,
    nullif("resource/account", connection) as account,
    nullif("resource/tag:confluent_environment", '') as environment,
    max("time/usage_start") as newest
  from all_line_items
  where "resource/id" <> ''
  group by 1, 2, 3
),

placed as (
  select
    id,
    last_value(account order by account is not null, newest, account) as account,
    last_value(environment order by environment is not null, newest, environment) as environment,
    max(newest) as newest
  from places
  where account is not null or environment is not null
  group by id
),

tagged as (
  select "resource/id" as id, tags, max("time/usage_start") as newest
  from all_line_items
  where "resource/id" <> '' and tags is not null
  group by 1, 2
),

entries as (
  select id, newest, unnest(json_entries(tags)) as tag
  from tagged
),

providers as (
  select connection as id, "lineitem/cloud_provider" as value, max("time/usage_start") as newest
  from all_line_items
  where connection in (select connection from periods) and "lineitem/cloud_provider" <> ''
  group by 1, 2
)

select
  'resource' as subject,
  id,
  'resource_name' as label,
  cast(null as varchar) as tag_key,
  last_value(value order by newest, value) as value,
  cast(max(newest) as date) as as_of
from names
group by id
union all
select 'account', id, 'environment', null, value, cast(newest as date)
from environments
union all
select
  'resource', placed.id, 'environment', null,
  coalesce(environments.value, placed.environment, placed.account),
  cast(placed.newest as date)
from environments
right join placed on environments.id = placed.account
union all
select
  'resource', id, 'tags', tag['key'],
  last_value(tag['value'] order by newest, tag['value']),
  cast(max(newest) as date)
from entries
where tag['value'] <> ''
group by id, tag['key']
union all
select 'connection', id, 'cloud_provider', null, last_value(value order by newest, value), cast(max(newest) as date)
from providers
group by id
