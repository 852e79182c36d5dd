-- Top resources: the most expensive items of a month
-- parameter month: the billing month, such as 2026-10 [latest]
-- parameter limit: maximum number of items; the rest is summed as (others) [20]
-- by: resource_id, service, environment, usage_type, connection, cloud_provider, tag:<key>
-- money: billed_cost, discounted_cost, real_cost, previous_cost, difference
-- total: billed_cost, discounted_cost, real_cost, previous_cost, difference
-- compare: previous_cost, difference
-- secondary: discounted_cost, real_cost
-- chart: bars label=item value=billed_cost
--
-- Line items of the types Credit and Adjustment reduce no item: they have a separate row, the last one. percent is
-- the item's share of all positive items, rounded: between 0 and 100, and NULL for a negative item. The costs are
-- exact and add up to the month. previous_cost is the billed cost of the month to compare with, $compare, and
-- difference what billed_cost is above it.

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
    line_item_type in ('Credit', 'Adjustment') as is_credit,
    case when billing_period = $month then billed_cost else amount(0) end as billed_cost,
    case when billing_period = $month then discounted_cost else amount(0) end as discounted_cost,
    case when billing_period = $month then real_cost else amount(0) end as real_cost,
    case when billing_period = $compare then billed_cost else amount(0) end as previous_cost
  from daily_costs
  where billing_period in ($month, $compare)
),

items as (
  select
    case when is_credit then '(credits and adjustments)' else item end as item,
    is_credit,
    sum(billed_cost) as billed_cost,
    sum(discounted_cost) as discounted_cost,
    sum(real_cost) as real_cost,
    sum(previous_cost) as previous_cost
  from given
  group by 1, 2
),

ranked as (
  select *, row_number() over (order by is_credit, billed_cost desc nulls last, item) as place
  from items
),

shown as (
  select
    case when is_credit or place <= $limit then item else '(others)' end as item,
    is_credit,
    least(place, $limit + 1) as place,
    sum(billed_cost) as billed_cost,
    sum(discounted_cost) as discounted_cost,
    sum(real_cost) as real_cost,
    sum(previous_cost) as previous_cost,
    sum(case when is_credit then amount(0) else greatest(billed_cost, amount(0)) end) as charges
  from ranked
  group by 1, 2, 3
)

select
  item,
  billed_cost,
  discounted_cost,
  real_cost,
  previous_cost,
  billed_cost - previous_cost as difference,
  case
    when not is_credit and billed_cost >= 0
      then cast(times(price(charges, sum(charges) over ()), amount(100)) as decimal(38, 2))
  end as percent
from shown
order by is_credit, place
