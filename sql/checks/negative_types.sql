-- Every Discount and every Credit has a cost below zero.
-- exit 1
select
  "lineitem/id",
  "lineitem/type",
  "cost/cost"
from line_items
where "lineitem/type" in ('Discount', 'Credit')
  and "cost/cost" >= cast(0 as decimal(38, 24))
order by "lineitem/id"
limit 20
