-- Line items with the columns of daily_costs, their amounts divided by the days of their month.
--
-- Sums over a month are costs and quantities per day, so that months of different lengths compare. Of a month that is
-- not complete only the complete days count, and of the open month of a source those up to its newest line item (see
-- months). Quotients are rounded half-even at 24 digits.

select
  usage_date,
  daily_costs.billing_period,
  daily_costs.connection,
  cloud_provider,
  environment,
  service,
  usage_family,
  usage_type,
  operation,
  resource_id,
  resource_name,
  region,
  line_item_type,
  description,
  price(quantity, amount(days)) as quantity,
  unit,
  currency,
  price(billed_cost, amount(days)) as billed_cost,
  price(discounted_cost, amount(days)) as discounted_cost,
  price(on_demand_cost, amount(days)) as on_demand_cost,
  price(list_cost, amount(days)) as list_cost,
  price(real_cost, amount(days)) as real_cost,
  tags,
  is_own
from (
  select connection, billing_period, counted_through, is_complete, date_part('day', counted_through) as days
  from months
  where counted_through is not null
) as counted
inner join daily_costs
  on daily_costs.connection = counted.connection and daily_costs.billing_period = counted.billing_period
where counted.is_complete or usage_date <= counted.counted_through
