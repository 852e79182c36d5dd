-- Per day, product and line type, stored costs have the number, amounts and quantities of the received costs.
-- exit 5
-- Each side is summed in separate columns, because a join would lose groups that only one side has.
-- Quantities count as numbers, whatever their unit. They are summed with 76 digits, as two of them can exceed 38. The
-- received quantity is NULL in files of older versions, which did not sum it; those groups are not compared.
select
  start_date,
  product,
  line_type,
  sum(wire_costs) as wire_costs,
  sum(stored_costs) as stored_costs,
  sum(stored_costs) - sum(wire_costs) as costs_difference,
  sum(wire_original) as wire_original,
  sum(stored_original) as stored_original,
  sum(stored_original) - sum(wire_original) as original_difference,
  sum(wire_net) as wire_net,
  sum(stored_net) as stored_net,
  sum(stored_net) - sum(wire_net) as net_difference,
  case when sum(unknown_quantities) = 0 then sum(wire_quantity) end as wire_quantity,
  sum(stored_quantity) as stored_quantity,
  case when sum(unknown_quantities) = 0 then sum(stored_quantity) - sum(wire_quantity) end as quantity_difference
from (
  select
    start_date,
    nullif(product, '') as product,
    nullif(line_type, '') as line_type,
    costs as wire_costs,
    original_amount as wire_original,
    net_amount as wire_net,
    coalesce(quantity, cast(0 as decimal(76, 24))) as wire_quantity,
    case when quantity is null then cast(1 as bigint) else cast(0 as bigint) end as unknown_quantities,
    cast(0 as bigint) as stored_costs,
    cast(0 as decimal(38, 24)) as stored_original,
    cast(0 as decimal(38, 24)) as stored_net,
    cast(0 as decimal(76, 24)) as stored_quantity
  from wire_totals
  union all
  select
    start_date,
    nullif(product, '') as product,
    nullif(line_type, '') as line_type,
    cast(0 as bigint) as wire_costs,
    cast(0 as decimal(38, 24)) as wire_original,
    cast(0 as decimal(38, 24)) as wire_net,
    cast(0 as decimal(76, 24)) as wire_quantity,
    cast(0 as bigint) as unknown_quantities,
    cast(1 as bigint) as stored_costs,
    original_amount as stored_original,
    coalesce(amount, original_amount - coalesce(discount_amount, cast(0 as decimal(38, 24)))) as stored_net,
    cast(coalesce(quantity, cast(0 as decimal(38, 24))) as decimal(76, 24)) as stored_quantity
  from costs
) as sides
group by start_date, product, line_type
having sum(stored_costs) <> sum(wire_costs)
  or sum(stored_original) <> sum(wire_original)
  or sum(stored_net) <> sum(wire_net)
  or (sum(unknown_quantities) = 0 and sum(stored_quantity) <> sum(wire_quantity))
order by start_date, product, line_type
