-- Months with line items, by connection, and the day through which their costs are complete.
--
-- Of a settled month complete_through is the last day, of any other the day that the last pull showed. Nothing shows
-- it for a source: a month that is over counts as complete, an open one has none. newest_day is the day of the newest
-- line item. Costs per day count through counted_through: complete_through, or newest_day of an open month of a source.
-- $today is the day, in UTC.

with found as (
  select connection, billing_period, cast(max("time/usage_start") as date) as newest_day
  from all_line_items
  group by connection, billing_period
),

dated as (
  select
    found.connection,
    found.billing_period,
    found.newest_day,
    cast(cast(concat(found.billing_period, '-01') as date) + interval '1 month' - interval '1 day' as date) as last_day,
    periods.connection is not null as is_imported,
    coalesce(periods.state = 'settled', false) as is_settled,
    periods.complete_through
  from found
  left join periods on periods.connection = found.connection and periods.billing_period = found.billing_period
)

select
  connection,
  billing_period,
  case
    when is_settled or (not is_imported and last_day < $today) then last_day
    else complete_through
  end as complete_through,
  is_settled
    or (not is_imported and last_day < $today)
    or coalesce(complete_through >= last_day, false) as is_complete,
  newest_day,
  case
    when is_settled or (not is_imported and last_day < $today) then last_day
    when complete_through is not null or is_imported then complete_through
    else newest_day
  end as counted_through
from dated
