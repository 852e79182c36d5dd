-- Per day and line type, cost and discounted cost of line items equal the received net amount, and on-demand cost equals the received original amount without credits.
-- exit 5
-- Each side is summed in separate columns, because a join would lose groups that only one side has.
select
  cast(day as date) as usage_day,
  line_type,
  sum(wire_net) as wire_net,
  sum(cost) as cost,
  sum(cost) - sum(wire_net) as cost_difference,
  sum(discounted_cost) as discounted_cost,
  sum(discounted_cost) - sum(wire_net) as discounted_difference,
  sum(wire_on_demand) as wire_on_demand,
  sum(on_demand_cost) as on_demand_cost,
  sum(on_demand_cost) - sum(wire_on_demand) as on_demand_difference
from (
  select
    cast(start_date as timestamp) as day,
    nullif(line_type, '') as line_type,
    net_amount as wire_net,
    original_amount - coalesce(credit_original_amount, cast(0 as decimal(38, 24))) as wire_on_demand,
    cast(0 as decimal(38, 24)) as cost,
    cast(0 as decimal(38, 24)) as discounted_cost,
    cast(0 as decimal(38, 24)) as on_demand_cost
  from wire_totals
  union all
  select
    date_trunc('day', cast("time/usage_start" as timestamp)) as day,
    nullif("action/usage_type", '') as line_type,
    cast(0 as decimal(38, 24)) as wire_net,
    cast(0 as decimal(38, 24)) as wire_on_demand,
    "cost/cost" as cost,
    "cost/discounted_cost" as discounted_cost,
    "cost/on_demand_cost" as on_demand_cost
  from line_items
) as sides
group by day, line_type
having sum(cost) <> sum(wire_net)
  or sum(discounted_cost) <> sum(wire_net)
  or sum(on_demand_cost) <> sum(wire_on_demand)
order by day, line_type
