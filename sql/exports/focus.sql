-- FOCUS: the published line items of a month in the columns of FOCUS 1.2
-- To override it, put a file of the same name into your SQL folder. It replaces this file as a whole.
--
-- It reads
--   all_line_items        published line items in CloudZero's Common Bill Format, tags as one JSON object
--   $connection           the connection, and $billing_period the month, such as 2026-10
--   $currency             the connection's currency
--   $billing_account_id   the id of the Confluent organization, else the connection
-- It must return the columns that FOCUS requires, others of FOCUS, or columns of your own whose names begin with x_,
-- and BilledCost with the exact total of the month: the export fails if it differs. A month can be larger than memory,
-- so the query streams: no window functions and no ORDER BY.
--
-- The Common Bill Format has the list price and its discount in two rows, FOCUS in one: BilledCost is the discounted
-- cost of a row, and Discount rows without one are left out. The columns that are NULL in all rows are those that
-- validators require and Confluent has no values for.

with priced as (
  select
    *,
    coalesce("cost/discounted_cost", "cost/cost") as net,
    coalesce("cost/on_demand_cost", "cost/discounted_cost", "cost/cost") as list,
    nullif("resource/id", '') as cbf_resource_id,
    nullif("resource/account", '') as account,
    cast(concat($billing_period, '-01') as timestamp) as month_start,
    case "lineitem/type"
      when 'Usage' then 'Usage'
      when 'CommittedUseVacancy' then 'Usage'
      when 'Tax' then 'Tax'
      when 'Credit' then 'Credit'
      when 'Support' then 'Purchase'
      when 'Purchase' then 'Purchase'
      when 'Fee' then 'Purchase'
      when 'CommittedUsePurchase' then 'Purchase'
      when 'CommittedUseRecurringFee' then 'Purchase'
      else 'Adjustment'
    end as category
  from all_line_items
  where connection = $connection and billing_period = $billing_period
),

charges as (
  select
    *,
    -- A purchase has a quantity: one, if Confluent names none.
    case
      when category = 'Usage' then coalesce("usage/amount", amount(0))
      when category = 'Purchase' then coalesce("usage/amount", amount(1))
    end as pricing_quantity,
    case when category in ('Usage', 'Purchase') then coalesce(nullif("usage/units", ''), 'Units') end as pricing_unit
  from priced
  where "lineitem/type" <> 'Discount' or net <> amount(0)
)

select
  net as "BilledCost",
  $billing_account_id as "BillingAccountId",
  connection as "BillingAccountName",
  'Organization' as "BillingAccountType",
  $currency as "BillingCurrency",
  month_start + interval '1 month' as "BillingPeriodEnd",
  month_start as "BillingPeriodStart",
  category as "ChargeCategory",
  cast(null as varchar) as "ChargeClass",
  "lineitem/description" as "ChargeDescription",
  case
    when category = 'Usage' then 'Usage-Based'
    when "lineitem/type" in ('Support', 'CommittedUseRecurringFee') then 'Recurring'
    else 'One-Time'
  end as "ChargeFrequency",
  coalesce("time/usage_end", "time/usage_start" + interval '1 day') as "ChargePeriodEnd",
  "time/usage_start" as "ChargePeriodStart",
  cast(null as varchar) as "CommitmentDiscountCategory",
  cast(null as varchar) as "CommitmentDiscountId",
  cast(null as varchar) as "CommitmentDiscountName",
  cast(null as varchar) as "CommitmentDiscountStatus",
  cast(null as varchar) as "CommitmentDiscountType",
  case when category = 'Usage' then pricing_quantity end as "ConsumedQuantity",
  case when category = 'Usage' then pricing_unit end as "ConsumedUnit",
  net as "ContractedCost",
  -- NULL without a quantity to divide by.
  case when abs(pricing_quantity) > 0.000001 then price(net, pricing_quantity) end as "ContractedUnitPrice",
  coalesce("cost/discounted_amortized_cost", net) as "EffectiveCost",
  cast(null as varchar) as "InvoiceId",
  coalesce(nullif("lineitem/cloud_provider", ''), 'Confluent') as "InvoiceIssuerName",
  list as "ListCost",
  case when abs(pricing_quantity) > 0.000001 then price(list, pricing_quantity) end as "ListUnitPrice",
  case when category in ('Usage', 'Purchase') then 'Standard' end as "PricingCategory",
  pricing_quantity as "PricingQuantity",
  pricing_unit as "PricingUnit",
  coalesce(nullif("lineitem/cloud_provider", ''), 'Confluent') as "ProviderName",
  'Confluent' as "PublisherName",
  nullif("resource/region", '') as "RegionId",
  nullif("resource/region", '') as "RegionName",
  -- The kind before the separator is the type.
  case
    when strpos(cbf_resource_id, '/') > 0 then substr(cbf_resource_id, strpos(cbf_resource_id, '/') + 1)
    else cbf_resource_id
  end as "ResourceId",
  nullif("resource/tag:confluent_name", '') as "ResourceName",
  case when strpos(cbf_resource_id, '/') > 0 then split_part(cbf_resource_id, '/', 1) end as "ResourceType",
  case
    when "lineitem/type" = 'Support' or "resource/service" in ('Stream Governance', 'Audit Log', 'Unified Stream Manager')
      then 'Management and Governance'
    when "resource/service" in ('Flink', 'ksqlDB', 'Tableflow') then 'Analytics'
    when "resource/service" in ('Kafka', 'Connect', 'Custom Connect', 'Cluster Linking') then 'Integration'
    else 'Other'
  end as "ServiceCategory",
  coalesce(nullif("resource/service", ''), 'Confluent Cloud') as "ServiceName",
  case
    when "lineitem/type" = 'Support' then 'Support'
    when "resource/service" = 'Stream Governance' then 'Data Governance'
    when "resource/service" = 'Audit Log' then 'Compliance'
    when "resource/service" = 'Unified Stream Manager' then 'Observability'
    when "resource/service" in ('Flink', 'ksqlDB') then 'Streaming Analytics'
    when "resource/service" = 'Tableflow' then 'Data Processing'
    when "resource/service" in ('Kafka', 'Cluster Linking') then 'Messaging'
    when "resource/service" in ('Connect', 'Custom Connect') then 'Other (Integration)'
    else 'Other (Other)'
  end as "ServiceSubcategory",
  nullif("action/usage_type", '') as "SkuId",
  nullif("action/usage_type", '') as "SkuMeter",
  nullif(tags_json('x_NetworkAccessType', nullif("action/operation", '')), '') as "SkuPriceDetails",
  cast(null as varchar) as "SkuPriceId",
  -- Costs without an environment have the connection as their account, which is no sub-account.
  case when account <> connection then account end as "SubAccountId",
  case when account <> connection then nullif("resource/tag:confluent_environment", '') end as "SubAccountName",
  case when account <> connection then 'Environment' end as "SubAccountType",
  tags as "Tags",
  "lineitem/id" as "x_LineItemId",
  "lineitem/type" as "x_LineItemType",
  nullif("resource/usage_family", '') as "x_UsageFamily"
from charges
