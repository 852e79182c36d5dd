-- CloudZero's Common Bill Format, such as the drops of another adaptor.
-- needs: time/usage_start, cost/cost
-- optional: lineitem/id, lineitem/type, lineitem/description, lineitem/cloud_provider, time/usage_end
-- optional: resource/id, resource/service, resource/usage_family, resource/account, resource/region
-- optional: action/usage_type, action/operation, usage/amount, usage/units, cost/discounted_cost
-- optional: tags, cost/on_demand_cost, cost/amortized_cost, cost/discounted_amortized_cost
-- optional: resource/tag:confluent_environment, resource/tag:confluent_name

select
  to_char(cast("time/usage_start" as timestamp), '%Y-%m') as billing_period,
  nullif("lineitem/id", '') as "lineitem/id",
  coalesce(nullif("lineitem/type", ''), 'Usage') as "lineitem/type",
  nullif("lineitem/description", '') as "lineitem/description",
  nullif("lineitem/cloud_provider", '') as "lineitem/cloud_provider",
  cast("time/usage_start" as timestamp) as "time/usage_start",
  cast(nullif(cast("time/usage_end" as varchar), '') as timestamp) as "time/usage_end",
  nullif("resource/id", '') as "resource/id",
  nullif("resource/service", '') as "resource/service",
  nullif("resource/usage_family", '') as "resource/usage_family",
  nullif("resource/account", '') as "resource/account",
  nullif("resource/region", '') as "resource/region",
  nullif("action/usage_type", '') as "action/usage_type",
  nullif("action/operation", '') as "action/operation",
  amount("usage/amount") as "usage/amount",
  nullif("usage/units", '') as "usage/units",
  amount("cost/cost") as "cost/cost",
  amount("cost/discounted_cost") as "cost/discounted_cost",
  amount("cost/on_demand_cost") as "cost/on_demand_cost",
  amount("cost/amortized_cost") as "cost/amortized_cost",
  amount("cost/discounted_amortized_cost") as "cost/discounted_amortized_cost",
  nullif("resource/tag:confluent_environment", '') as "resource/tag:confluent_environment",
  nullif("resource/tag:confluent_name", '') as "resource/tag:confluent_name",
  tags
from source
