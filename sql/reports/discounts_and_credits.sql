-- Discounts and credits: reductions of the list price in a month
-- parameter month: the billing month [latest]
-- parameter limit: maximum number of rows, largest savings first [20]
-- by: service, resource_id, environment, usage_type, connection, cloud_provider, tag:<key>
-- money: list_cost, discounts, credits, adjustments, billed_cost, saved
-- total: list_cost, discounts, credits, adjustments, billed_cost, saved
-- secondary: adjustments, list_cost
-- chart: bars label=item value=saved
--
-- list_cost + discounts + credits + adjustments = billed_cost, to the last digit. discounts is billed cost minus list
-- cost (positive for surcharges), with or without Discount rows. credits and adjustments are the line items of these
-- types. saved is the negated sum of discounts and credits; discount_percent is rounded.

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
    line_item_type = 'Credit' as is_credit,
    line_item_type = 'Adjustment' as is_adjustment,
    on_demand_cost,
    billed_cost
  from daily_costs
  where billing_period = $month
),

items as (
  select
    item,
    sum(case when is_credit or is_adjustment then cast(0 as decimal(38, 24)) else on_demand_cost end) as list_cost,
    sum(case
      when is_credit or is_adjustment then cast(0 as decimal(38, 24))
      else billed_cost - on_demand_cost
    end) as discounts,
    sum(case when is_credit then billed_cost else cast(0 as decimal(38, 24)) end) as credits,
    sum(case when is_adjustment then billed_cost else cast(0 as decimal(38, 24)) end) as adjustments,
    sum(billed_cost) as billed_cost
  from given
  group by item
)

select
  item,
  list_cost,
  discounts,
  credits,
  adjustments,
  billed_cost,
  -(discounts + credits) as saved,
  cast(times(price(-discounts, list_cost), amount(100)) as decimal(38, 2)) as discount_percent
from items
order by saved desc, item
limit $limit
