-- Cost over time: billed cost by month, week or day
-- parameter from: the first billing month [earliest]
-- parameter to: the last billing month [latest]
-- parameter step: month, week or day; a week is named by its Monday [month]
-- parameter limit: maximum number of items, most expensive first; the rest is summed as (others) [8]
-- by: service, resource_id, environment, usage_type, connection, cloud_provider, tag:<key>
-- money: billed_cost, discounted_cost, real_cost
-- total: billed_cost, discounted_cost, real_cost
-- secondary: discounted_cost, real_cost
-- chart: lines x=period y=billed_cost series=item complete=is_complete
--
-- An item has no row for a period without line items. is_complete is false, in all rows of a period, if a connection's
-- costs of the period may still grow (see the view months), or if a week is cut by the range of months.

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
    connection, billing_period, usage_date,
    billed_cost, discounted_cost, real_cost
  from daily_costs
  where billing_period between $from and $to
),

ranked as (
  select item, row_number() over (order by sum(billed_cost) desc, item) as place
  from given
  group by item
),

largest as (
  select item, place from ranked where place <= $limit
),

-- A period is complete if all of its days are, in every month that it has costs in.
spans as (
  select
    period,
    connection,
    billing_period,
    case $step
      when 'day' then max(usage_date)
      when 'week' then cast(cast(period as date) + interval '6 days' as date)
      else cast(cast(concat(billing_period, '-01') as date) + interval '1 month' - interval '1 day' as date)
    end as last_day
  from given
  group by period, connection, billing_period
),

complete as (
  select
    spans.period,
    bool_and(months.is_complete or coalesce(spans.last_day <= months.complete_through, false))
      and (
        $step <> 'week'
        or spans.period >= concat($from, '-01') and to_char(max(spans.last_day), '%Y-%m') <= $to
      ) as is_complete
  from months
  inner join spans on spans.connection = months.connection and spans.billing_period = months.billing_period
  group by spans.period
),

sums as (
  select
    given.period,
    coalesce(largest.item, '(others)') as item,
    largest.place,
    sum(given.billed_cost) as billed_cost,
    sum(given.discounted_cost) as discounted_cost,
    sum(given.real_cost) as real_cost
  from largest
  right join given on largest.item = given.item
  group by given.period, largest.item, largest.place
)

select
  sums.period,
  sums.item,
  complete.is_complete,
  sums.billed_cost,
  sums.discounted_cost,
  sums.real_cost
from complete
inner join sums on sums.period = complete.period
order by sums.period, sums.place
