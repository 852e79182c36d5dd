-- CloudZero's Common Bill Format, such as the drops of another adaptor.
-- needs: time/usage_start, cost/cost
-- optional: lineitem/id, lineitem/type, lineitem/description, lineitem/cloud_provider, time/usage_end
-- optional: resource/id, resource/service, resource/usage_family, resource/account, resource/region
-- optional: action/usage_type, action/operation, usage/amount, usage/units, cost/discounted_cost
-- optional: tags, cost/on_demand_cost, cost/amortized_cost, cost/discounted_amortized_cost
-- optional: resource/tag:confluent_environment, resource/tag:confluent_name, currency
--
-- CBF has no currency: CloudZero takes amounts for US dollars. A column "currency" of other files counts.

select
  to_char(utc_time("time/usage_start"), '%Y-%m') as billing_period,
  upper(nullif(currency, '')) as currency,
  nullif("lineitem/id", '') as "lineitem/id",
  -- Types in any case; an unknown one stays as it is.
  case lower(replace(replace("lineitem/type", '_', ''), ' ', ''))
    when 'usage' then 'Usage'
    when 'tax' then 'Tax'
    when 'support' then 'Support'
    when 'purchase' then 'Purchase'
    when 'adjustment' then 'Adjustment'
    when 'fee' then 'Fee'
    when 'credit' then 'Credit'
    when 'discount' then 'Discount'
    when 'committedusepurchase' then 'CommittedUsePurchase'
    when 'committeduserecurringfee' then 'CommittedUseRecurringFee'
    when 'committedusevacancy' then 'CommittedUseVacancy'
    else coalesce(nullif("lineitem/type", ''), 'Usage')
  end as "lineitem/type",
  nullif("lineitem/description", '') as "lineitem/description",
  nullif("lineitem/cloud_provider", '') as "lineitem/cloud_provider",
  utc_time("time/usage_start") as "time/usage_start",
  utc_time("time/usage_end") as "time/usage_end",
  nullif("resource/id", '') as "resource/id",
  nullif("resource/service", '') as "resource/service",
  nullif("resource/usage_family", '') as "resource/usage_family",
  nullif("resource/account", '') as "resource/account",
  nullif("resource/region", '') as "resource/region",
  nullif("action/usage_type", '') as "action/usage_type",
  nullif("action/operation", '') as "action/operation",
  quantity("usage/amount") as "usage/amount",
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
