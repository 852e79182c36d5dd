-- Top resources: the most expensive items of a month
-- parameter month: the billing month, such as 2026-10 [latest]
-- parameter limit: maximum number of rows [20]
-- by: resource_id, service, environment, usage_type, connection, cloud_provider, tag:<key>
-- money: billed_cost, discounted_cost, real_cost
-- total: billed_cost, discounted_cost, real_cost, percent
-- secondary: discounted_cost, real_cost
-- chart: bars label=item value=billed_cost
--
-- percent is the share of the month's billed cost, rounded; the costs are exact.

with given as (
  select
    coalesce(nullif(case $by
      when 'resource_id' then resource_id
      when 'service' then service
      when 'environment' then environment
      when 'usage_type' then usage_type
      when 'connection' then connection
      when 'cloud_provider' then cloud_provider
      else json_text(tags, substr($by, 5))
    end, ''), '(none)') as item,
    billed_cost, discounted_cost, real_cost
  from daily_costs
  where billing_period = $month
),

items as (
  select
    item,
    sum(billed_cost) as billed_cost,
    sum(discounted_cost) as discounted_cost,
    sum(real_cost) as real_cost
  from given
  group by item
)

select
  item,
  billed_cost,
  discounted_cost,
  real_cost,
  cast(times(price(billed_cost, sum(billed_cost) over ()), amount(100)) as decimal(38, 2)) as percent
from items
order by billed_cost desc, item
limit $limit
