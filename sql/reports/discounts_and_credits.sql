-- Discounts and credits: reductions of the list price in a month
-- parameter month: the billing month [latest]
-- parameter limit: maximum number of items, largest savings first; the rest is summed as (others) [20]
-- by: service, resource_id, environment, usage_type, connection, cloud_provider, tag:<key>
-- money: list_cost, discounts, credits, adjustments, other_charges, billed_cost, saved
-- total: list_cost, discounts, credits, adjustments, other_charges, billed_cost, saved
-- secondary: adjustments, list_cost
-- chart: bars label=item value=saved
--
-- list_cost + discounts + credits + adjustments + other_charges = billed_cost, to the last digit:
--   list_cost      list price of usage and support whose list price is known and above 0
--   discounts      their cost, amortized where known, minus list_cost, and Discount line items; positive for surcharges
--   credits        line items of the type Credit
--   adjustments    line items of the type Adjustment
--   other_charges  charges without a known list price, taxes, and fees of commitments minus the usage that they cover
-- A commitment saves what its amortized cost is below the list price, so its fees are no surcharge, and usage that it
-- covers is not free. saved is the negated sum of discounts and credits; discount_percent, rounded, is the part of
-- list_cost that discounts are.

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
    case
      when line_item_type in ('Discount', 'Credit', 'Adjustment') then line_item_type
      when line_item_type in ('Usage', 'Support') and list_cost > 0 then 'Listed'
      else 'Other'
    end as kind,
    list_cost,
    billed_cost,
    -- What commitments pay of usage: the amortized cost beyond the discounted one.
    case when line_item_type = 'Usage' then real_cost - discounted_cost else amount(0) end as committed
  from daily_costs
  where billing_period = $month
),

parts as (
  select
    item,
    case when kind = 'Listed' then list_cost else amount(0) end as list_cost,
    case
      when kind = 'Listed' then billed_cost + committed - list_cost
      when kind = 'Discount' then billed_cost
      else amount(0)
    end as discounts,
    case when kind = 'Credit' then billed_cost else amount(0) end as credits,
    case when kind = 'Adjustment' then billed_cost else amount(0) end as adjustments,
    billed_cost
  from given
),

items as (
  select
    item,
    sum(list_cost) as list_cost,
    sum(discounts) as discounts,
    sum(credits) as credits,
    sum(adjustments) as adjustments,
    sum(billed_cost) as billed_cost
  from parts
  group by item
),

ranked as (
  select *, row_number() over (order by -(discounts + credits) desc, item) as place
  from items
),

shown as (
  select
    case when place <= $limit then item else '(others)' end as item,
    least(place, $limit + 1) as place,
    sum(list_cost) as list_cost,
    sum(discounts) as discounts,
    sum(credits) as credits,
    sum(adjustments) as adjustments,
    sum(billed_cost) as billed_cost
  from ranked
  group by 1, 2
)

select
  item,
  list_cost,
  discounts,
  credits,
  adjustments,
  billed_cost - list_cost - discounts - credits - adjustments as other_charges,
  billed_cost,
  -(discounts + credits) as saved,
  cast(times(price(-discounts, list_cost), amount(100)) as decimal(38, 2)) as discount_percent
from shown
order by place
