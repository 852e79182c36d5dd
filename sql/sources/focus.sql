-- FOCUS 1.0 to 1.2, the open billing format that AWS, Azure, Google Cloud, Oracle and others export.
-- needs: BilledCost, BillingPeriodStart, ChargePeriodStart, ChargeCategory
-- optional: ChargePeriodEnd, ChargeClass, ChargeFrequency, ChargeDescription, CommitmentDiscountId
-- optional: CommitmentDiscountStatus, ContractedCost, EffectiveCost, ListCost, ConsumedQuantity, ConsumedUnit
-- optional: PricingQuantity, PricingUnit, ProviderName, BillingAccountId, SubAccountId, SubAccountName
-- optional: ServiceName, ServiceCategory, ServiceSubcategory, SkuId, SkuMeter, RegionId, ResourceId
-- optional: ResourceName, ResourceType, Tags
--
-- Cost is BilledCost, discounted cost ContractedCost, discounted amortized cost EffectiveCost, on-demand cost
-- ListCost. All stay in the billing currency. By FOCUS's definition, contracted costs count a commitment twice: as
-- its purchase and as the usage that it covers.

select
  to_char(cast("BillingPeriodStart" as timestamp), '%Y-%m') as billing_period,
  -- In CloudZero's types a commitment's purchase, fees and unused part are not usage, nor is a correction of an
  -- earlier invoice. A credit is negative; a reversed one is an adjustment.
  case
    when "ChargeCategory" = 'Tax' then 'Tax'
    when "ChargeCategory" = 'Credit' and amount("BilledCost") > 0 then 'Adjustment'
    when "ChargeCategory" = 'Credit' then 'Credit'
    when "ChargeCategory" = 'Adjustment' or "ChargeClass" = 'Correction' then 'Adjustment'
    when "ChargeCategory" = 'Purchase' and "CommitmentDiscountId" <> '' and "ChargeFrequency" = 'Recurring'
      then 'CommittedUseRecurringFee'
    when "ChargeCategory" = 'Purchase' and "CommitmentDiscountId" <> '' then 'CommittedUsePurchase'
    when "ChargeCategory" = 'Purchase' then 'Purchase'
    when "CommitmentDiscountStatus" = 'Unused' then 'CommittedUseVacancy'
    when "ChargeCategory" = 'Usage' then 'Usage'
    else 'Fee'
  end as "lineitem/type",
  nullif("ChargeDescription", '') as "lineitem/description",
  nullif("ProviderName", '') as "lineitem/cloud_provider",
  cast("ChargePeriodStart" as timestamp) as "time/usage_start",
  cast(nullif(cast("ChargePeriodEnd" as varchar), '') as timestamp) as "time/usage_end",
  -- CloudZero splits ids at ':' and '/' and drops everything after the second part: keep one separator.
  case
    when "ResourceId" <> '' then concat(
      translate(coalesce(nullif("ResourceType", ''), 'resource'), ':/', '__'), '/',
      translate("ResourceId", ':/', '__')
    )
  end as "resource/id",
  nullif("ServiceName", '') as "resource/service",
  coalesce(nullif("ServiceSubcategory", ''), nullif("ServiceCategory", '')) as "resource/usage_family",
  coalesce(nullif("SubAccountId", ''), nullif("BillingAccountId", '')) as "resource/account",
  nullif("RegionId", '') as "resource/region",
  coalesce(nullif("SkuMeter", ''), nullif("SkuId", '')) as "action/usage_type",
  coalesce(amount("ConsumedQuantity"), amount("PricingQuantity")) as "usage/amount",
  case
    when amount("ConsumedQuantity") is not null then nullif("ConsumedUnit", '')
    else nullif("PricingUnit", '')
  end as "usage/units",
  amount("BilledCost") as "cost/cost",
  amount("ContractedCost") as "cost/discounted_cost",
  amount("ListCost") as "cost/on_demand_cost",
  amount("EffectiveCost") as "cost/discounted_amortized_cost",
  -- Display names use the columns of Confluent's names, so that the views show them.
  nullif("SubAccountName", '') as "resource/tag:confluent_environment",
  nullif("ResourceName", '') as "resource/tag:confluent_name",
  nullif(map_json("Tags"), '') as tags
from source
