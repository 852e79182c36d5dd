-- Cost data that is in CloudZero's Common Bill Format already, such as the drops of another adaptor.
-- needs: time/usage_start, cost/cost
-- optional: lineitem/id, lineitem/type, lineitem/description, lineitem/cloud_provider, time/usage_end
-- optional: resource/id, resource/service, resource/usage_family, resource/account, resource/region
-- optional: action/usage_type, action/operation, usage/amount, usage/units, cost/discounted_cost
-- optional: cost/on_demand_cost, cost/amortized_cost, cost/discounted_amortized_cost

select
  to_char(cast("time/usage_start" as timestamp), '%Y-%m') as billing_period,
  "lineitem/id",
  coalesce(nullif("lineitem/type", ''), 'Usage') as "lineitem/type",
  "lineitem/description",
  "lineitem/cloud_provider",
  cast("time/usage_start" as timestamp) as "time/usage_start",
  cast(nullif("time/usage_end", '') as timestamp) as "time/usage_end",
  "resource/id",
  "resource/service",
  "resource/usage_family",
  "resource/account",
  "resource/region",
  "action/usage_type",
  "action/operation",
  amount("usage/amount") as "usage/amount",
  "usage/units",
  amount("cost/cost") as "cost/cost",
  amount("cost/discounted_cost") as "cost/discounted_cost",
  amount("cost/on_demand_cost") as "cost/on_demand_cost",
  amount("cost/amortized_cost") as "cost/amortized_cost",
  amount("cost/discounted_amortized_cost") as "cost/discounted_amortized_cost"
from source
