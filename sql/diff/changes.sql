-- Differences between two states of line items: changed, added and removed rows.
--
-- Reads `before` and `after`: line items as usage_date, connection, line_item_type, resource_id, service,
-- environment, usage_type, operation, tier, unit, quantity and cost. The key of a row is all of these except
-- quantity and cost; lineitem/id is not part of it, because it changes with the content. Rows with equal keys are
-- summed.

with sides as (
  select
    *, cast(1 as bigint) as rows_before, cast(0 as bigint) as rows_after,
    quantity as quantity_before, cast(0 as decimal(38, 24)) as quantity_after,
    cost as cost_before, cast(0 as decimal(38, 24)) as cost_after
  from before
  union all
  select
    *, cast(0 as bigint) as rows_before, cast(1 as bigint) as rows_after,
    cast(0 as decimal(38, 24)) as quantity_before, quantity as quantity_after,
    cast(0 as decimal(38, 24)) as cost_before, cost as cost_after
  from after
)

select
  case
    when sum(rows_before) = 0 then 'added'
    when sum(rows_after) = 0 then 'gone'
    else 'changed'
  end as what,
  usage_date,
  connection,
  line_item_type,
  resource_id,
  service,
  environment,
  usage_type,
  operation,
  tier,
  unit,
  sum(rows_before) as rows_before,
  sum(rows_after) as rows_after,
  sum(quantity_before) as quantity_before,
  sum(quantity_after) as quantity_after,
  sum(cost_before) as cost_before,
  sum(cost_after) as cost_after,
  sum(cost_after) - sum(cost_before) as change
from sides
group by
  usage_date, connection, line_item_type, resource_id, service, environment, usage_type, operation, tier, unit
having
  sum(rows_before) <> sum(rows_after)
  or coalesce(sum(quantity_before), cast(0 as decimal(38, 24)))
    <> coalesce(sum(quantity_after), cast(0 as decimal(38, 24)))
  or sum(cost_before) <> sum(cost_after)
