-- Billed cost and quantity of a month and of the month before, by resource and usage type.
--
-- A removed resource shows in the following month, if the connection has that month. A connection's first month
-- has no month before it. is_complete is false as long as the month may still grow, which reads as a saving. Instead of a self join, each month is read once as itself and once as the month before.

with sides as (
  select
    connection, billing_period, cloud_provider, environment, service, usage_type, unit, resource_id, currency,
    quantity, billed_cost,
    cast(0 as decimal(38, 24)) as previous_quantity, cast(0 as decimal(38, 24)) as previous_cost
  from daily_costs
  union all
  select
    connection,
    to_char(cast(concat(billing_period, '-01') as date) + interval '1 month', '%Y-%m') as billing_period,
    cloud_provider, environment, service, usage_type, unit, resource_id, currency,
    cast(0 as decimal(38, 24)) as quantity, cast(0 as decimal(38, 24)) as billed_cost,
    quantity as previous_quantity, billed_cost as previous_cost
  from daily_costs
)

select
  sides.connection,
  sides.billing_period,
  cloud_provider,
  environment,
  service,
  usage_type,
  unit,
  resource_id,
  currency,
  sum(previous_quantity) as previous_quantity,
  sum(quantity) as quantity,
  sum(previous_cost) as previous_cost,
  sum(billed_cost) as billed_cost,
  sum(billed_cost) - sum(previous_cost) as change,
  bool_and(months.is_complete) as is_complete
from months
inner join sides on sides.connection = months.connection and sides.billing_period = months.billing_period
group by
  sides.connection, sides.billing_period, cloud_provider, environment, service, usage_type, unit, resource_id,
  currency
