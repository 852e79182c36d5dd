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
-- It may also return rows with the column_name rule: their values are the lines of the rules that match the resource,
-- so that rules without any match can be reported.
-- CloudZero keeps one value per resource and key and applies it to all history, so no value depends on a row or day.

-- A resource has one name and environment: the newest of the inventory, else the newest of the month's costs. Costs
-- are grouped by their texts first, because sorting by date is for few rows.
with texts as (
  select
    resource_id,
    coalesce(resource_name, '') as resource_name,
    coalesce(environment_id, '') as environment_id,
    max(start_date) as start_date
  from costs
  where resource_id <> ''
  group by 1, 2, 3
),

named as (
  select
    resource_id,
    last_value(resource_name order by resource_name <> '', start_date, resource_name) as resource_name,
    last_value(environment_id order by environment_id <> '', start_date, environment_id) as environment_id
  from texts
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
    coalesce(own.cluster_kind, cluster.cluster_kind) as cluster_kind
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

-- Rules are found by their first exact text, so thousands of them cost no more than a few; rules of patterns alone are
-- tried on every resource. like_literal is the text of a pattern without wildcards, in lower case.
rules as (
  select
    *,
    case
      when like_literal(resource) is not null then 'resource'
      when like_literal(name) is not null then 'name'
      when like_literal(environment) is not null then 'environment'
      when like_literal(service) is not null then 'service'
      else 'any'
    end as key_column,
    coalesce(
      like_literal(resource), like_literal(name), like_literal(environment), like_literal(service), ''
    ) as key_text
  from tag_rules
),

-- Every text of a resource by which a rule may name it.
candidates as (
  select
    resolved.*,
    services.product,
    services.service,
    unnest(make_array(
      'any', 'resource', 'resource', 'name', 'environment', 'environment', 'service', 'service'
    )) as key_column,
    unnest(make_array(
      '',
      lower(resolved.resource_id),
      lower(resolved.shown_id),
      lower(resolved.name),
      lower(resolved.environment),
      lower(resolved.environment_id),
      lower(services.service),
      lower(services.product)
    )) as key_text
  from resolved
  inner join services on services.resource_id = resolved.resource_id
),

-- like_any_case is ILIKE, fast for patterns that differ from row to row.
matched as (
  select
    candidates.resource_id,
    rules.line,
    rules.specificity,
    unnest(json_entries(rules.tags)) as tag
  from rules
  inner join candidates
    on rules.key_column = candidates.key_column
    and rules.key_text = candidates.key_text
    and (
      rules.resource is null
      or like_any_case(candidates.resource_id, rules.resource)
      or like_any_case(candidates.shown_id, rules.resource)
    )
    and (rules.name is null or like_any_case(candidates.name, rules.name))
    and (
      rules.environment is null
      or like_any_case(candidates.environment, rules.environment)
      or like_any_case(candidates.environment_id, rules.environment)
    )
    and (
      rules.service is null
      or like_any_case(candidates.service, rules.service)
      or like_any_case(candidates.product, rules.service)
    )
),

-- Per tag the most specific rule with a value applies; among equals, the first.
chosen as (
  select
    resource_id,
    concat('resource/tag:', tag['key']) as column_name,
    first_value(tag['value'] order by specificity desc, line) as value,
    array_agg(distinct cast(line as varchar)) as lines
  from matched
  where tag['value'] <> ''
  group by resource_id, tag['key']
)

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
  unnest(make_array(region, environment_id, environment, name, cloud, cluster_kind)) as value
from resolved
union all
select
  resource_id,
  unnest(array_prepend(column_name, array_repeat('rule', array_length(lines)))) as column_name,
  unnest(array_prepend(value, lines)) as value
from chosen
