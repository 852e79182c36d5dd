-- One side of a comparison: line items with the tier of the cost that each one results from.
-- parameter connection: one connection, or NULL for all
-- parameter per_day: true for the day of each line item, false to compare months without their days
--
-- Reads `side_line_items` and `side_costs`, a month of the published tables. Few costs have a tier: they are the build
-- side of the join. environment is the newest known one, as in daily_costs: a new name is no difference.

select
  case when $per_day then cast(l."time/usage_start" as date) end as usage_date,
  l.connection,
  l."lineitem/type" as line_item_type,
  l."resource/id" as resource_id,
  l."resource/service" as service,
  coalesce(
    newest_label('account', 'environment', nullif(l."resource/account", l.connection)),
    nullif(l."resource/account", l.connection),
    newest_label('resource', 'environment', l."resource/id")
  ) as environment,
  l."action/usage_type" as usage_type,
  l."action/operation" as operation,
  t.tier_dimensions as tier,
  l."usage/units" as unit,
  l."usage/amount" as quantity,
  l."cost/cost" as cost
from (
  select record_id, tier_dimensions from side_costs where tier_dimensions <> ''
) as t
right join side_line_items as l on t.record_id = replace(l."lineitem/id", '-discount', '')
where $connection is null or l.connection = $connection
