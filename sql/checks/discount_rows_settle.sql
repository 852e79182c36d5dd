-- Every Discount has discounted and on-demand cost 0 and no usage, because its usage row has them.
-- exit 1
select
  "lineitem/id",
  "cost/discounted_cost",
  "cost/on_demand_cost",
  "usage/amount",
  "usage/units"
from line_items
where "lineitem/type" = 'Discount'
  and (
    ("cost/discounted_cost" is distinct from cast(0 as decimal(38, 24)))
    or ("cost/on_demand_cost" is distinct from cast(0 as decimal(38, 24)))
    or "usage/amount" is not null
    or coalesce("usage/units", '') <> ''
  )
order by "lineitem/id"
limit 20
