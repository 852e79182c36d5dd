-- Changes: differences from the month before, by reason
-- parameter month: the billing month [latest]
-- parameter previous: the month to compare with [previous]
-- parameter limit: maximum number of rows, largest differences first [20]
-- by: resource_id, service, environment, usage_type, connection, cloud_provider, tag:<key>
-- money: previous_cost, cost, difference, new_cost, gone_cost, quantity_effect, price_effect
-- total: previous_cost, cost, difference, new_cost, gone_cost, quantity_effect, price_effect
-- secondary: previous_cost
-- chart: bars label=item value=difference
--
-- new_cost + gone_cost + quantity_effect + price_effect = difference = cost - previous_cost, to the last digit.
-- The reasons are computed for each usage type of each resource, then summed:
--   new_cost         line items in this month only
--   gone_cost        line items in the other month only
--   quantity_effect  changed usage: the difference of quantities at the previous month's price
--   price_effect     the remainder: changed prices, tiers and discounts
-- Without quantities above a millionth in both months, or with different units, the whole difference is
-- price_effect: support, credits, and quantities that are NULL, zero or negative.
-- An unfinished month of a connection is compared with the same days of the other month; its newest days may still
-- grow. A connection without line items in the month is left out.

with last_day as (
  select
    connection,
    date_part('day', max(usage_date)) as day,
    date_part('day', max(usage_date) + interval '1 day') = 1 as is_over
  from daily_costs
  where billing_period = $month
  group by connection
),

-- A Discount row repeats everything except quantity and unit, so it is grouped with its usage.
sides as (
  select
    coalesce(nullif(case $by
      when 'resource_id' then resource_id
      when 'service' then service
      when 'environment' then environment
      when 'usage_type' then usage_type
      when 'connection' then daily_costs.connection
      when 'cloud_provider' then cloud_provider
      else json_text(tags, substr($by, 5))
    end, ''), '(none)') as item,
    sum(case when billing_period = $month then billed_cost else cast(0 as decimal(38, 24)) end) as cost,
    sum(case when billing_period = $month then quantity end) as quantity,
    bool_or(billing_period = $month) as is_there,
    sum(case when billing_period = $previous then billed_cost else cast(0 as decimal(38, 24)) end) as previous_cost,
    sum(case when billing_period = $previous then quantity end) as previous_quantity,
    bool_or(billing_period = $previous) as was_there,
    min(lower(unit)) is not distinct from max(lower(unit)) as has_one_unit
  from last_day
  inner join daily_costs on last_day.connection = daily_costs.connection
  where billing_period in ($month, $previous)
    and (billing_period = $month or last_day.is_over or date_part('day', usage_date) <= last_day.day)
  group by 1, daily_costs.connection, cloud_provider, environment, service, usage_type, resource_id
),

effects as (
  select
    *,
    case when not was_there then cost else cast(0 as decimal(38, 24)) end as new_cost,
    case when not is_there then -previous_cost else cast(0 as decimal(38, 24)) end as gone_cost,
    case
      when was_there and is_there and has_one_unit and previous_quantity > 0.000001 and quantity > 0.000001
        then times(quantity - previous_quantity, price(previous_cost, previous_quantity))
      else cast(0 as decimal(38, 24))
    end as quantity_effect
  from sides
),

items as (
  select
    item,
    sum(previous_cost) as previous_cost,
    sum(cost) as cost,
    sum(new_cost) as new_cost,
    sum(gone_cost) as gone_cost,
    sum(quantity_effect) as quantity_effect
  from effects
  group by item
)

select
  item,
  previous_cost,
  cost,
  cost - previous_cost as difference,
  new_cost,
  gone_cost,
  quantity_effect,
  cost - previous_cost - new_cost - gone_cost - quantity_effect as price_effect
from items
order by abs(cost - previous_cost) desc, item
limit $limit
