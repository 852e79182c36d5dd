-- Line items by day under friendly names; the figures equal those of CloudZero's Explorer.
--
-- billed_cost, discounted_cost and on_demand_cost cover all line items, each with CloudZero's fallback to the billed
-- cost; real_cost covers usage only, discounted and amortized where known. list_cost is the on-demand cost where it is
-- known, else NULL. All are in currency, the billing currency of the row; never add rows of two currencies.
-- is_own marks own line items, which equal no cost of Confluent: those of models/own_line_items.sql.
-- One row per line item, so that a query for a day or a month reads only that month's files. cloud_provider,
-- environment, resource_name and tags are the newest known ones, in all months (see newest_labels): they are looked up
-- only if a query names them. environment is NULL for costs of the whole organization, such as support.

select
  cast("time/usage_start" as date) as usage_date,
  billing_period,
  connection,
  coalesce(newest_label('connection', 'cloud_provider', connection), "lineitem/cloud_provider") as cloud_provider,
  coalesce(
    newest_label('account', 'environment', nullif("resource/account", connection)),
    nullif("resource/account", connection),
    newest_label('resource', 'environment', "resource/id")
  ) as environment,
  "resource/service" as service,
  "resource/usage_family" as usage_family,
  "action/usage_type" as usage_type,
  "action/operation" as operation,
  "resource/id" as resource_id,
  coalesce(
    newest_label('resource', 'resource_name', "resource/id"),
    nullif("resource/tag:confluent_name", '')
  ) as resource_name,
  "resource/region" as region,
  "lineitem/type" as line_item_type,
  "lineitem/description" as description,
  "usage/amount" as quantity,
  "usage/units" as unit,
  currency,
  "cost/cost" as billed_cost,
  coalesce("cost/discounted_cost", "cost/cost") as discounted_cost,
  coalesce("cost/on_demand_cost", "cost/cost") as on_demand_cost,
  "cost/on_demand_cost" as list_cost,
  case
    when "lineitem/type" = 'Usage' then coalesce(
      "cost/discounted_amortized_cost", "cost/amortized_cost", "cost/discounted_cost", "cost/cost"
    )
    else cast(0 as decimal(38, 24))
  end as real_cost,
  coalesce(newest_label('resource', 'tags', "resource/id"), tags) as tags,
  coalesce("lineitem/id" like 'own-%', false) as is_own
from all_line_items
