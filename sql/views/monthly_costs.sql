-- Costs by month, connection, environment, service, usage family, usage type, line item type and currency, own line items apart.
--
-- is_complete is false as long as the month may still grow; complete_through is its last complete day, see months.

with costs as (
  select
    billing_period,
    connection,
    cloud_provider,
    environment,
    service,
    usage_family,
    usage_type,
    line_item_type,
    unit,
    currency,
    is_own,
    sum(quantity) as quantity,
    count(*) as line_items,
    sum(billed_cost) as billed_cost,
    sum(discounted_cost) as discounted_cost,
    sum(on_demand_cost) as on_demand_cost,
    sum(real_cost) as real_cost
  from daily_costs
  group by
    billing_period, connection, cloud_provider, environment, service, usage_family, usage_type, line_item_type, unit,
    currency, is_own
)

select costs.*, months.complete_through, months.is_complete
from months
right join costs on costs.connection = months.connection and costs.billing_period = months.billing_period
