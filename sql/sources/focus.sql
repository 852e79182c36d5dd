-- FOCUS 1.0 to 1.4, the open billing format that AWS, Azure, Google Cloud, Oracle and others export.
-- needs: BilledCost, BillingPeriodStart, ChargePeriodStart, ChargeCategory
-- optional: ChargePeriodEnd, ChargeClass, ChargeFrequency, ChargeDescription, CommitmentDiscountId
-- optional: CommitmentDiscountStatus, EffectiveCost, ListCost, ConsumedQuantity, ConsumedUnit
-- optional: PricingQuantity, PricingUnit, ProviderName, BillingAccountId, SubAccountId, SubAccountName
-- optional: ServiceName, ServiceCategory, ServiceSubcategory, SkuId, SkuMeter, RegionId, ResourceId
-- optional: ResourceName, ResourceType, Tags, ServiceProviderName, HostProviderName, InvoiceIssuerName
-- optional: RegionName, Region, Provider, InvoiceIssuer, UsageQuantity, UsageUnit, BillingCurrency
--
-- Google Cloud writes categories in lower case, and Oracle has columns of drafts of FOCUS (Provider, InvoiceIssuer,
-- Region, UsageQuantity, UsageUnit).
--
-- Cost and discounted cost are BilledCost, discounted amortized cost EffectiveCost, on-demand cost ListCost. All stay
-- in BillingCurrency. ContractedCost is not used: by FOCUS's definition it counts a commitment twice, as its
-- purchase and as the usage that it covers. For the same reason a commitment's purchase has no on-demand cost.

with given as (
  select
    *,
    lower("ChargeCategory") as category,
    lower("ChargeClass") as class,
    lower("ChargeFrequency") as frequency,
    lower("CommitmentDiscountStatus") as commitment_status
  from source
)

select
  to_char(utc_time("BillingPeriodStart"), '%Y-%m') as billing_period,
  upper(nullif("BillingCurrency", '')) as currency,
  -- In CloudZero's types a commitment's purchase, fees and unused part are not usage, nor is a correction of an
  -- earlier invoice. A credit is negative; a reversed one is an adjustment.
  case
    when category = 'tax' then 'Tax'
    when category = 'credit' and amount("BilledCost") > 0 then 'Adjustment'
    when category = 'credit' then 'Credit'
    when category = 'adjustment' or class = 'correction' then 'Adjustment'
    when category = 'purchase' and "CommitmentDiscountId" <> '' and frequency = 'recurring'
      then 'CommittedUseRecurringFee'
    when category = 'purchase' and "CommitmentDiscountId" <> '' then 'CommittedUsePurchase'
    when "ServiceSubcategory" = 'Support' or lower("ServiceName") like '%support%' then 'Support'
    when category = 'purchase' then 'Purchase'
    when commitment_status = 'unused' then 'CommittedUseVacancy'
    when category = 'usage' then 'Usage'
    else 'Fee'
  end as "lineitem/type",
  nullif("ChargeDescription", '') as "lineitem/description",
  -- FOCUS 1.3 replaced ProviderName.
  coalesce(
    nullif("ServiceProviderName", ''), nullif("ProviderName", ''), nullif("Provider", ''),
    nullif("HostProviderName", ''), nullif("InvoiceIssuerName", ''), nullif("InvoiceIssuer", '')
  ) as "lineitem/cloud_provider",
  utc_time("ChargePeriodStart") as "time/usage_start",
  utc_time("ChargePeriodEnd") as "time/usage_end",
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
  -- Exports that began with a draft of FOCUS have "Region".
  coalesce(nullif("RegionId", ''), nullif("RegionName", ''), nullif("Region", '')) as "resource/region",
  coalesce(nullif("SkuMeter", ''), nullif("SkuId", '')) as "action/usage_type",
  coalesce(quantity("ConsumedQuantity"), quantity("UsageQuantity"), quantity("PricingQuantity")) as "usage/amount",
  case
    when quantity("ConsumedQuantity") is not null then nullif("ConsumedUnit", '')
    when quantity("UsageQuantity") is not null then nullif("UsageUnit", '')
    else nullif("PricingUnit", '')
  end as "usage/units",
  amount("BilledCost") as "cost/cost",
  amount("BilledCost") as "cost/discounted_cost",
  case
    when category = 'purchase' and "CommitmentDiscountId" <> '' then cast(0 as decimal(38, 24))
    else amount("ListCost")
  end as "cost/on_demand_cost",
  amount("EffectiveCost") as "cost/discounted_amortized_cost",
  -- Display names use the columns of Confluent's names, so that the views show them.
  nullif("SubAccountName", '') as "resource/tag:confluent_environment",
  nullif("ResourceName", '') as "resource/tag:confluent_name",
  nullif(map_json("Tags"), '') as tags
from given
