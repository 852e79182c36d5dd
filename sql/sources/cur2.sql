-- AWS Cost and Usage Report 2.0, and the legacy report.
-- needs: line_item_line_item_type, line_item_unblended_cost, line_item_usage_start_date, bill_billing_period_start_date
-- unique: identity_line_item_id
-- optional: identity_line_item_id, bill_payer_account_id, line_item_line_item_description
-- optional: line_item_currency_code, line_item_usage_end_date, line_item_usage_account_id, line_item_usage_account_name
-- optional: line_item_product_code, line_item_resource_id, line_item_usage_type, line_item_operation
-- optional: line_item_usage_amount, line_item_net_unblended_cost, pricing_unit, pricing_public_on_demand_cost
-- optional: product_product_family, product_region_code, product_region, resource_tags, reservation_reservation_a_r_n
-- optional: reservation_effective_cost, reservation_net_effective_cost
-- optional: reservation_unused_amortized_upfront_fee_for_billing_period, reservation_unused_recurring_fee
-- optional: reservation_net_unused_amortized_upfront_fee_for_billing_period
-- optional: reservation_net_unused_recurring_fee, savings_plan_savings_plan_effective_cost
-- optional: savings_plan_net_savings_plan_effective_cost, savings_plan_total_commitment_to_date
-- optional: savings_plan_used_commitment, savings_plan_amortized_upfront_commitment_for_billing_period
-- optional: savings_plan_recurring_commitment_for_billing_period
-- optional: savings_plan_net_amortized_upfront_commitment_for_billing_period
-- optional: savings_plan_net_recurring_commitment_for_billing_period
--
-- Cost is the unblended cost, discounted cost the net unblended cost (only payers with discounts have it).
-- Amortized cost, by AWS's rules:
--   covered by a savings plan or reservation   its effective cost
--   recurring fee of a savings plan            unused part: commitment to date minus used commitment
--   fee of a reservation (RIFee)               unused part: upfront and recurring fee
--   negation, upfront fees                     0, because the effective costs include them
--   everything else                            the unblended cost
-- Discounted amortized cost is the same with the net columns. AWS has no net column for the unused part of a plan: it
-- is scaled by the net commitment of the billing period divided by the commitment before discounts. An export
-- without the columns of savings plans and reservations has no true amortized costs.

with given as (
  select
    *,
    amount(line_item_unblended_cost) as unblended,
    amount(line_item_net_unblended_cost) as net_unblended,
    amount(pricing_public_on_demand_cost) as on_demand,
    amount(savings_plan_total_commitment_to_date) - amount(savings_plan_used_commitment) as unused_plan,
    amount(savings_plan_amortized_upfront_commitment_for_billing_period)
      + amount(savings_plan_recurring_commitment_for_billing_period) as plan_commitment,
    amount(savings_plan_net_amortized_upfront_commitment_for_billing_period)
      + amount(savings_plan_net_recurring_commitment_for_billing_period) as net_plan_commitment,
    line_item_line_item_type as aws_type,
    coalesce(line_item_line_item_type = 'Fee' and reservation_reservation_a_r_n <> '', false) as is_reservation_upfront,
    line_item_line_item_type = 'SavingsPlanNegation' or line_item_line_item_type like '%Discount' as is_discount
  from source
)

select
  to_char(utc_time(bill_billing_period_start_date), '%Y-%m') as billing_period,
  upper(nullif(line_item_currency_code, '')) as currency,
  nullif(identity_line_item_id, '') as "lineitem/id",
  case
    when aws_type in ('Tax', 'Credit') then aws_type
    when aws_type = 'Refund' then 'Credit'
    when aws_type in ('RIFee', 'SavingsPlanRecurringFee') then 'CommittedUseRecurringFee'
    when aws_type = 'SavingsPlanUpfrontFee' or is_reservation_upfront then 'CommittedUsePurchase'
    when line_item_product_code like 'AWSSupport%' or line_item_product_code = 'OCBPremiumSupport' then 'Support'
    when aws_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage') then 'Usage'
    when is_discount then 'Discount'
    else 'Fee'
  end as "lineitem/type",
  nullif(line_item_line_item_description, '') as "lineitem/description",
  'AWS' as "lineitem/cloud_provider",
  utc_time(line_item_usage_start_date) as "time/usage_start",
  utc_time(line_item_usage_end_date) as "time/usage_end",
  -- CloudZero splits ids at ':' and '/' and drops everything after the second part: keep one separator.
  case
    when line_item_resource_id <> '' then concat(
      coalesce(nullif(line_item_product_code, ''), 'resource'), '/', translate(line_item_resource_id, ':/', '__')
    )
  end as "resource/id",
  nullif(line_item_product_code, '') as "resource/service",
  nullif(product_product_family, '') as "resource/usage_family",
  coalesce(nullif(line_item_usage_account_id, ''), nullif(bill_payer_account_id, '')) as "resource/account",
  coalesce(nullif(product_region_code, ''), nullif(product_region, '')) as "resource/region",
  nullif(line_item_usage_type, '') as "action/usage_type",
  nullif(line_item_operation, '') as "action/operation",
  case when not is_discount then quantity(line_item_usage_amount) end as "usage/amount",
  case when not is_discount then nullif(pricing_unit, '') end as "usage/units",
  unblended as "cost/cost",
  net_unblended as "cost/discounted_cost",
  -- Discounted usage has its list price and quantity in its own row; the row that negates it has neither.
  -- A commitment's fees have no list price besides that of the usage which it covers.
  case
    when is_discount or is_reservation_upfront
      or aws_type in ('RIFee', 'SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee') then cast(0 as decimal(38, 24))
    else on_demand
  end as "cost/on_demand_cost",
  case
    when aws_type = 'SavingsPlanCoveredUsage' then amount(savings_plan_savings_plan_effective_cost)
    when aws_type = 'SavingsPlanRecurringFee' then unused_plan
    when aws_type = 'DiscountedUsage' then amount(reservation_effective_cost)
    when aws_type = 'RIFee' then
      amount(reservation_unused_amortized_upfront_fee_for_billing_period) + amount(reservation_unused_recurring_fee)
    when aws_type in ('SavingsPlanNegation', 'SavingsPlanUpfrontFee') or is_reservation_upfront
      then cast(0 as decimal(38, 24))
    else unblended
  end as "cost/amortized_cost",
  case
    when aws_type = 'SavingsPlanCoveredUsage' then amount(savings_plan_net_savings_plan_effective_cost)
    when aws_type = 'SavingsPlanRecurringFee' then price(times(unused_plan, net_plan_commitment), plan_commitment)
    when aws_type = 'DiscountedUsage' then amount(reservation_net_effective_cost)
    when aws_type = 'RIFee' then
      amount(reservation_net_unused_amortized_upfront_fee_for_billing_period)
      + amount(reservation_net_unused_recurring_fee)
    when aws_type in ('SavingsPlanNegation', 'SavingsPlanUpfrontFee') or is_reservation_upfront
      then cast(0 as decimal(38, 24))
    else net_unblended
  end as "cost/discounted_amortized_cost",
  nullif(line_item_usage_account_name, '') as "resource/tag:confluent_environment",
  nullif(aws_tags(resource_tags), '') as tags
from given
