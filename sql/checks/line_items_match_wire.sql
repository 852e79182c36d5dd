-- Per day and line type, cost and discounted cost of line items equal the received net amount, on-demand cost equals the received original amount without credits, and usage amount equals the received quantity without credits and adjustments.
-- exit 5
-- Each side is summed in separate columns, because a join would lose groups that only one side has.
-- Quantities count as numbers, whatever their unit, with 76 digits, as two of them can exceed 38. The received quantity
-- is NULL in files of older versions, which did not sum it; those groups are not compared.
-- Line items of credits and adjustments have no quantity, and promo credits below zero no list price. Both are summed
-- from the costs, which equal the received ones (costs_match_wire). A mapping may also keep all quantities, or those of
-- adjustments.
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
  sum(on_demand_cost) - sum(wire_on_demand) as on_demand_difference,
  case when sum(unknown_quantities) = 0 then sum(wire_quantity) - sum(unused_quantity) end as wire_usage,
  sum(usage_amount) as usage_amount,
  case
    when sum(unknown_quantities) = 0 then sum(usage_amount) - (sum(wire_quantity) - sum(unused_quantity))
  end as usage_difference
from (
  select
    cast(start_date as timestamp) as day,
    nullif(line_type, '') as line_type,
    net_amount as wire_net,
    original_amount as wire_on_demand,
    coalesce(quantity, cast(0 as decimal(76, 24))) as wire_quantity,
    cast(0 as decimal(76, 24)) as unused_quantity,
    cast(0 as decimal(76, 24)) as credit_quantity,
    case when quantity is null then cast(1 as bigint) else cast(0 as bigint) end as unknown_quantities,
    cast(0 as decimal(38, 24)) as cost,
    cast(0 as decimal(38, 24)) as discounted_cost,
    cast(0 as decimal(38, 24)) as on_demand_cost,
    cast(0 as decimal(76, 24)) as usage_amount
  from wire_totals
  union all
  select
    cast(start_date as timestamp) as day,
    line_type,
    cast(0 as decimal(38, 24)) as wire_net,
    case when is_promo and (net_amount < 0 or original_amount < 0) then -original_amount else amount(0) end
      as wire_on_demand,
    cast(0 as decimal(76, 24)) as wire_quantity,
    cast(quantity as decimal(76, 24)) as unused_quantity,
    cast(case when is_promo and net_amount < 0 then quantity else amount(0) end as decimal(76, 24))
      as credit_quantity,
    cast(0 as bigint) as unknown_quantities,
    cast(0 as decimal(38, 24)) as cost,
    cast(0 as decimal(38, 24)) as discounted_cost,
    cast(0 as decimal(38, 24)) as on_demand_cost,
    cast(0 as decimal(76, 24)) as usage_amount
  from (
    select
      start_date,
      nullif(line_type, '') as line_type,
      coalesce(line_type = 'PROMO_CREDIT', false) as is_promo,
      original_amount,
      coalesce(amount, original_amount - coalesce(discount_amount, cast(0 as decimal(38, 24)))) as net_amount,
      coalesce(quantity, cast(0 as decimal(38, 24))) as quantity
    from costs
    where line_type = 'PROMO_CREDIT'
      or (
        original_amount < cast(0 as decimal(38, 24))
        and not coalesce(line_type like 'SUPPORT%', false)
        and not coalesce(product like 'SUPPORT%', false)
      )
  ) as not_usage
  union all
  select
    date_trunc('day', cast("time/usage_start" as timestamp)) as day,
    nullif("action/usage_type", '') as line_type,
    cast(0 as decimal(38, 24)) as wire_net,
    cast(0 as decimal(38, 24)) as wire_on_demand,
    cast(0 as decimal(76, 24)) as wire_quantity,
    cast(0 as decimal(76, 24)) as unused_quantity,
    cast(0 as decimal(76, 24)) as credit_quantity,
    cast(0 as bigint) as unknown_quantities,
    "cost/cost" as cost,
    "cost/discounted_cost" as discounted_cost,
    "cost/on_demand_cost" as on_demand_cost,
    cast(coalesce("usage/amount", cast(0 as decimal(38, 24))) as decimal(76, 24)) as usage_amount
  from line_items
) as sides
group by day, line_type
having sum(cost) <> sum(wire_net)
  or sum(discounted_cost) <> sum(wire_net)
  or sum(on_demand_cost) <> sum(wire_on_demand)
  or (
    sum(unknown_quantities) = 0
    and sum(usage_amount) <> sum(wire_quantity) - sum(unused_quantity)
    and sum(usage_amount) <> sum(wire_quantity) - sum(credit_quantity)
    and sum(usage_amount) <> sum(wire_quantity)
  )
order by day, line_type
