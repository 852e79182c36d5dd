-- Costs by tag and month. As in CloudZero, the latest value of a resource's tag applies to its whole history.
--
-- is_complete is false as long as the month may still grow, see months.

with costs as (
  select
    billing_period, connection, cloud_provider, currency, tags,
    sum(billed_cost) as billed_cost,
    sum(discounted_cost) as discounted_cost,
    sum(on_demand_cost) as on_demand_cost,
    sum(real_cost) as real_cost
  from daily_costs
  where tags is not null
  group by billing_period, connection, cloud_provider, currency, tags
),

tagged as (
  select *, unnest(json_entries(tags)) as tag
  from costs
),

tagged_costs as (
  select
    tag['key'] as tag_key,
    tag['value'] as tag_value,
    billing_period,
    connection,
    cloud_provider,
    currency,
    sum(billed_cost) as billed_cost,
    sum(discounted_cost) as discounted_cost,
    sum(on_demand_cost) as on_demand_cost,
    sum(real_cost) as real_cost
  from tagged
  where tag['value'] <> ''
  group by tag['key'], tag['value'], billing_period, connection, cloud_provider, currency
)

select tagged_costs.*, months.is_complete
from months
right join tagged_costs
  on tagged_costs.connection = months.connection and tagged_costs.billing_period = months.billing_period
