-- Every line item starts on the hour and inside the billing period.
-- exit 1
select
  "lineitem/id",
  "time/usage_start"
from line_items
-- Comparisons without the time zone, which is always UTC, are ten times as fast.
where date_trunc('hour', cast("time/usage_start" as timestamp)) <> cast("time/usage_start" as timestamp)
  or cast("time/usage_start" as timestamp) < cast(concat(cast($billing_period as varchar), '-01') as timestamp)
  or cast("time/usage_start" as timestamp)
    >= cast(concat(cast($billing_period as varchar), '-01') as timestamp) + interval '1 month'
order by "lineitem/id"
limit 20
