-- Costs by tag and month. As in CloudZero, the latest value of a resource's tag applies to its whole history.
--
-- is_complete is false as long as the month may still grow, see months.

with tagged as (
  select "resource/id" as resource_id, "time/usage_start" as usage_start, unnest(json_entries(tags)) as tag
  from all_line_items
  where tags is not null
),

latest as (
  select
    resource_id,
    tag['key'] as tag_key,
    last_value(tag['value'] order by usage_start, tag['value']) as tag_value
  from tagged
  group by resource_id, tag['key']
),

costs as (
  select
    billing_period, connection, cloud_provider, resource_id, currency,
    sum(billed_cost) as billed_cost,
    sum(discounted_cost) as discounted_cost,
    sum(on_demand_cost) as on_demand_cost,
    sum(real_cost) as real_cost
  from daily_costs
  group by billing_period, connection, cloud_provider, resource_id, currency
),

tagged_costs as (
  select
    tag_key,
    tag_value,
    billing_period,
    connection,
    cloud_provider,
    currency,
    sum(billed_cost) as billed_cost,
    sum(discounted_cost) as discounted_cost,
    sum(on_demand_cost) as on_demand_cost,
    sum(real_cost) as real_cost
  from latest
  inner join costs on costs.resource_id = latest.resource_id
  group by tag_key, tag_value, billing_period, connection, cloud_provider, currency
)

select tagged_costs.*, months.is_complete
from months
right join tagged_costs
  on tagged_costs.connection = months.connection and tagged_costs.billing_period = months.billing_period
