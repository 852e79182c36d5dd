-- Cost over time: billed cost by month, week or day
-- parameter from: the first billing month [earliest]
-- parameter to: the last billing month [latest]
-- parameter step: month, week or day; a week is named by its Monday [month]
-- parameter limit: maximum number of items, most expensive first; the rest is summed as (others) [8]
-- by: service, resource_id, environment, usage_type, connection, cloud_provider, tag:<key>
-- money: billed_cost, discounted_cost, real_cost
-- total: billed_cost, discounted_cost, real_cost
-- secondary: discounted_cost, real_cost
-- chart: lines x=period y=billed_cost series=item
--
-- An item has no row for a period without line items.

with given as (
  select
    case $step
      when 'day' then to_char(usage_date, '%Y-%m-%d')
      when 'week' then to_char(date_trunc('week', usage_date), '%Y-%m-%d')
      else billing_period
    end as period,
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
  where billing_period between $from and $to
),

ranked as (
  select item, row_number() over (order by sum(billed_cost) desc, item) as place
  from given
  group by item
),

top as (
  select item, place from ranked where place <= $limit
)

select
  given.period,
  coalesce(top.item, '(others)') as item,
  sum(given.billed_cost) as billed_cost,
  sum(given.discounted_cost) as discounted_cost,
  sum(given.real_cost) as real_cost
from top
right join given on top.item = given.item
group by given.period, top.item, top.place
order by given.period, top.place
