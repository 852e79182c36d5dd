-- Every Discount has a written 0 as discounted and as on-demand cost and repeats no usage, as its usage row carries them.
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
