-- Own line items are neither Usage nor Discount, which are types of Confluent's costs, their discounted cost is their cost, and no other line item has the id of an own one.
-- exit 1
-- There are no discounts of own line items, so the two costs of the bill would differ.
-- Runs if the SQL folder has models/own_line_items.sql.
select
  "lineitem/id",
  "lineitem/type",
  "cost/cost"
from own_line_items
where "lineitem/type" in ('Usage', 'Discount')
  or coalesce("cost/discounted_cost", "cost/cost") <> "cost/cost"
union all
select
  "lineitem/id",
  "lineitem/type",
  "cost/cost"
from (
  select
    items."lineitem/id",
    items."lineitem/type",
    items."cost/cost"
  from own_line_items as own
  right anti join line_items as items on own."lineitem/id" = items."lineitem/id"
  where items."lineitem/id" like 'own-%'
) as others
order by "lineitem/id"
limit 20
