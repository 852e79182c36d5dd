-- Months with line items, by connection, and the day through which their costs are complete.
--
-- Of a settled month complete_through is the last day, of any other the day that the last pull showed. Nothing shows
-- it for a source: a month that is over counts as complete, an open one has none. $today is the day, in UTC.

with found as (
  select distinct connection, billing_period from all_line_items
),

dated as (
  select
    found.connection,
    found.billing_period,
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
    or coalesce(complete_through >= last_day, false) as is_complete
from dated
