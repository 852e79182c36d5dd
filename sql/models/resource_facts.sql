-- Resource attributes: region and tags of each resource of a month, one value per resource and column.
-- To override it, put a file of the same name into your SQL folder. It replaces this file as a whole.
--
-- It reads
--   costs      the costs of one connection and one billing period, as received from Confluent
--   resources  the inventory: each row is valid from valid_from until valid_until; the newest row of a resource has
--              its last known values; empty without an inventory
--   tag_rules  the file of tags: line, the patterns resource, name, environment and service (for ILIKE, NULL for
--              any), specificity (the highest applies), tags (a JSON object); empty without a file
--   $connection, $billing_period and $cloud_provider are available as well
--   expressions of sql/names, in double braces: resource_id and service
-- It must return resource_id, column_name (resource/region or resource/tag:<key>) and value, at most one value for
-- each resource and column. models/line_items.sql joins them as the table resource_facts, one column per name.
-- CloudZero keeps one value per resource and key and applies it to all history, so no value depends on a row or day.
-- Without an inventory and a file of tags the built-in file is not run; an override always is.

-- A resource has one name and environment: the newest of the inventory, else the newest of the month's costs.
with named as (
  select
    resource_id,
    last_value(resource_name order by resource_name <> '', start_date, resource_name) as resource_name,
    last_value(environment_id order by environment_id <> '', start_date, environment_id) as environment_id
  from (
    select
      resource_id,
      start_date,
      coalesce(resource_name, '') as resource_name,
      coalesce(environment_id, '') as environment_id
    from costs
    where resource_id <> ''
  ) as texts
  group by resource_id
),

latest as (
  select
    resource_id,
    last_value(name order by valid_from) as name,
    last_value(environment_id order by valid_from) as environment_id,
    last_value(kafka_cluster_id order by valid_from) as kafka_cluster_id,
    last_value(cloud order by valid_from) as cloud,
    last_value(region order by valid_from) as region,
    last_value(cluster_kind order by valid_from) as cluster_kind
  from resources
  group by resource_id
),

-- Resources of a Kafka cluster have the region and cloud of the cluster.
known as (
  select
    named.resource_id,
    coalesce(own.name, nullif(named.resource_name, '')) as name,
    coalesce(own.environment_id, nullif(named.environment_id, '')) as environment_id,
    coalesce(own.region, cluster.region) as region,
    coalesce(own.cloud, cluster.cloud) as cloud,
    coalesce(own.cluster_kind, cluster.cluster_kind) as cluster_kind,
    own.resource_id is not null as is_listed
  from named
  left join latest as own on own.resource_id = named.resource_id
  left join latest as cluster on cluster.resource_id = own.kafka_cluster_id
),

-- shown_id is the resource/id of line items, as displayed by CloudZero.
identified as (
  select
    *,
    {{names/resource_id}} as shown_id
  from known
),

resolved as (
  select
    identified.*,
    environment.name as environment
  from identified
  left join latest as environment on environment.resource_id = identified.environment_id
),

-- Product as received from Confluent, and service as in line items.
services as (
  select distinct
    resource_id,
    product,
    {{names/service}} as service
  from (
    select
      resource_id,
      nullif(product, '') as product,
      coalesce(line_type like 'SUPPORT%', false) or coalesce(product like 'SUPPORT%', false) as is_support
    from costs
    where resource_id <> ''
  ) as products
),

-- The rules are few, so they are the build side of the join.
matched as (
  select
    resolved.resource_id,
    tag_rules.line,
    tag_rules.specificity,
    unnest(json_entries(tag_rules.tags)) as tag
  from tag_rules
  inner join (
    select resolved.*, services.product, services.service
    from resolved
    inner join services on services.resource_id = resolved.resource_id
  ) as resolved
    on (
      tag_rules.resource is null
      or resolved.resource_id ilike tag_rules.resource
      or resolved.shown_id ilike tag_rules.resource
    )
    and (tag_rules.name is null or resolved.name ilike tag_rules.name)
    and (
      tag_rules.environment is null
      or resolved.environment ilike tag_rules.environment
      or resolved.environment_id ilike tag_rules.environment
    )
    and (
      tag_rules.service is null
      or resolved.service ilike tag_rules.service
      or resolved.product ilike tag_rules.service
    )
),

-- Per tag the most specific rule with a value applies; among equals, the first.
chosen as (
  select
    resource_id,
    concat('resource/tag:', tag['key']) as column_name,
    first_value(tag['value'] order by specificity desc, line) as value
  from matched
  where tag['value'] <> ''
  group by resource_id, tag['key']
)

-- Only names from the inventory become tags: costs have no environment names, and resource names vary by day.
select
  resource_id,
  unnest(make_array(
    'resource/region',
    'resource/tag:confluent_environment_id',
    'resource/tag:confluent_environment',
    'resource/tag:confluent_name',
    'resource/tag:confluent_cloud',
    'resource/tag:confluent_cluster_kind'
  )) as column_name,
  unnest(make_array(
    region,
    case when environment is not null then environment_id end,
    environment,
    case when is_listed then name end,
    cloud,
    cluster_kind
  )) as value
from resolved
union all
select resource_id, column_name, value from chosen
