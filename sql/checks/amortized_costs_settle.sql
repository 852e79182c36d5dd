-- Over the month, amortized cost and discounted amortized cost have the sum of cost: they only redistribute it.
-- exit 5
-- Blank columns fall back as in CloudZero: discounted amortized, amortized, discounted, cost.
select
  sum("cost/cost") as cost,
  sum(coalesce("cost/amortized_cost", "cost/cost")) as amortized_cost,
  sum(coalesce("cost/amortized_cost", "cost/cost")) - sum("cost/cost") as amortized_difference,
  sum(coalesce(
    "cost/discounted_amortized_cost", "cost/amortized_cost", "cost/discounted_cost", "cost/cost"
  )) as discounted_amortized_cost,
  sum(coalesce(
    "cost/discounted_amortized_cost", "cost/amortized_cost", "cost/discounted_cost", "cost/cost"
  )) - sum("cost/cost") as discounted_amortized_difference
from line_items
having sum(coalesce("cost/amortized_cost", "cost/cost")) <> sum("cost/cost")
  or sum(coalesce(
    "cost/discounted_amortized_cost", "cost/amortized_cost", "cost/discounted_cost", "cost/cost"
  )) <> sum("cost/cost")
