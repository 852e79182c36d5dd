-- Every line item has an id, a type of CBF, a start time and all three costs.
-- exit 1
select
  "lineitem/id",
  "lineitem/type",
  "time/usage_start",
  "cost/cost",
  "cost/discounted_cost",
  "cost/on_demand_cost"
from line_items
where coalesce("lineitem/id", '') = ''
  or coalesce("lineitem/type", '') not in (
    'Usage', 'Tax', 'Support', 'Purchase', 'CommittedUsePurchase', 'CommittedUseVacancy',
    'CommittedUseRecurringFee', 'Discount', 'Credit', 'Fee', 'Adjustment'
  )
  or "time/usage_start" is null
  or "cost/cost" is null
  or "cost/discounted_cost" is null
  or "cost/on_demand_cost" is null
order by "lineitem/id"
limit 20
