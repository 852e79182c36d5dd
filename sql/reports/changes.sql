-- Changes: differences from the month before, by reason
-- parameter month: the billing month [latest]
-- parameter previous: the month to compare with; year_before is the same month of the year before [previous]
-- parameter limit: maximum number of items, largest differences first; the rest is summed as (others) [20]
-- by: resource_id, service, environment, usage_type, connection, cloud_provider, tag:<key>
-- money: previous_cost, cost, difference, new_cost, gone_cost, quantity_effect, days_effect, price_effect, adjustments
-- total: previous_cost, cost, difference, new_cost, gone_cost, quantity_effect, days_effect, price_effect, adjustments
-- secondary: through_day, previous_cost
-- chart: bars label=item value=difference
--
-- new_cost + gone_cost + quantity_effect + days_effect + price_effect + adjustments = difference = cost -
-- previous_cost, to the last digit. The reasons are computed for each usage type of each resource, then summed:
--   new_cost         charges in this month only
--   gone_cost        charges in the other month only
--   quantity_effect  changed usage: the difference of quantities at the previous month's price
--   days_effect      charges without quantities, such as support: the difference of charged days at the previous
--                    month's cost per day
--   price_effect     the remainder: changed prices, tiers and discounts
--   adjustments      difference of the line items of the types Credit and Adjustment: refunds and credits
-- Quantities are compared if they are above a millionth in both months and have one unit.
-- Whole months are compared if they are complete (see the view months); otherwise the same days of both months, up to
-- the last complete day of either: through_day, the earliest one of the connections in the row. A month without any
-- complete day is compared up to its newest line item. A connection with costs in one month only is new or gone.
-- Per day (--normalize day) all complete days of both months count, and there is no days_effect.

-- Day up to which a month can be compared: 31 for a complete one.
with ends as (
  select
    connection,
    billing_period,
    cast(case
      when is_complete then 31
      else date_part('day', coalesce(complete_through, newest_day))
    end as bigint) as through_day
  from months
  where billing_period in ($month, $previous)
),

-- A connection that is absent from the month is compared as far as the others.
compared as (
  select
    connection,
    case
      when $normalize = 'day' then 31
      when bool_or(billing_period = $month) then min(through_day)
      else least(min(through_day), (select max(through_day) from ends where billing_period = $month))
    end as through_day
  from ends
  group by connection
),

-- A Discount row repeats everything except quantity and unit, so it is grouped with its usage. Labels such as the
-- environment can change and are not part of the key.
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
    line_item_type in ('Credit', 'Adjustment') as is_adjustment,
    min(compared.through_day) as through_day,
    sum(case when billing_period = $month then billed_cost else cast(0 as decimal(38, 24)) end) as cost,
    sum(case when billing_period = $month then quantity end) as quantity,
    count(distinct case when billing_period = $month then usage_date end) as days,
    sum(case when billing_period = $previous then billed_cost else cast(0 as decimal(38, 24)) end) as previous_cost,
    sum(case when billing_period = $previous then quantity end) as previous_quantity,
    count(distinct case when billing_period = $previous then usage_date end) as previous_days,
    min(lower(unit)) is not distinct from max(lower(unit)) as has_one_unit
  from compared
  inner join daily_costs on compared.connection = daily_costs.connection
  where billing_period in ($month, $previous) and date_part('day', usage_date) <= compared.through_day
  group by 1, 2, daily_costs.connection, usage_type, resource_id
),

classified as (
  select
    *,
    case
      when is_adjustment then 'adjusted'
      when previous_days = 0 then 'new'
      when days = 0 then 'gone'
      when has_one_unit and previous_quantity > 0.000001 and quantity > 0.000001 then 'by quantity'
      else 'by days'
    end as reason
  from sides
),

effects as (
  select
    *,
    case when reason = 'new' then cost else cast(0 as decimal(38, 24)) end as new_cost,
    case when reason = 'gone' then -previous_cost else cast(0 as decimal(38, 24)) end as gone_cost,
    case
      when reason = 'by quantity'
        then times(quantity - previous_quantity, price(previous_cost, previous_quantity))
      else cast(0 as decimal(38, 24))
    end as quantity_effect,
    case
      when reason = 'by days' and days <> previous_days and $normalize = 'none'
        then times(amount(days - previous_days), price(previous_cost, amount(previous_days)))
      else cast(0 as decimal(38, 24))
    end as days_effect,
    case when reason = 'adjusted' then cost - previous_cost else cast(0 as decimal(38, 24)) end as adjustments
  from classified
),

items as (
  select
    item,
    nullif(min(through_day), 31) as through_day,
    sum(previous_cost) as previous_cost,
    sum(cost) as cost,
    sum(new_cost) as new_cost,
    sum(gone_cost) as gone_cost,
    sum(quantity_effect) as quantity_effect,
    sum(days_effect) as days_effect,
    sum(adjustments) as adjustments
  from effects
  group by item
),

ranked as (
  select *, row_number() over (order by abs(cost - previous_cost) desc, item) as place
  from items
),

shown as (
  select
    case when place <= $limit then item else '(others)' end as item,
    least(place, $limit + 1) as place,
    min(through_day) as through_day,
    sum(previous_cost) as previous_cost,
    sum(cost) as cost,
    sum(new_cost) as new_cost,
    sum(gone_cost) as gone_cost,
    sum(quantity_effect) as quantity_effect,
    sum(days_effect) as days_effect,
    sum(adjustments) as adjustments
  from ranked
  group by 1, 2
)

select
  item,
  through_day,
  previous_cost,
  cost,
  cost - previous_cost as difference,
  new_cost,
  gone_cost,
  quantity_effect,
  days_effect,
  cost - previous_cost - new_cost - gone_cost - quantity_effect - days_effect - adjustments as price_effect,
  adjustments
from shown
order by place
