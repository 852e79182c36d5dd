-- Every Discount has discounted, discounted amortized and on-demand cost 0 and no usage, because its usage row has them.
-- exit 1
select
  "lineitem/id",
  "cost/discounted_cost",
  "cost/discounted_amortized_cost",
  "cost/on_demand_cost",
  "usage/amount",
  "usage/units"
from line_items
where "lineitem/type" = 'Discount'
  and (
    ("cost/discounted_cost" is distinct from cast(0 as decimal(38, 24)))
    -- A blank one falls back to the amortized cost, then to the discounted cost.
    or coalesce("cost/discounted_amortized_cost", "cost/amortized_cost", cast(0 as decimal(38, 24)))
      <> cast(0 as decimal(38, 24))
    or ("cost/on_demand_cost" is distinct from cast(0 as decimal(38, 24)))
    or "usage/amount" is not null
    or coalesce("usage/units", '') <> ''
  )
order by "lineitem/id"
limit 20
