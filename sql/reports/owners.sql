-- Owners: cost by owner in a month, and resources without an owner
-- parameter month: the billing month [latest]
-- parameter key: the tag with the owner [team]
-- parameter limit: maximum number of rows; the rest is summed as (others) [100]
-- money: billed_cost, previous_cost, difference
-- total: billed_cost, previous_cost, difference
-- compare: previous_cost, difference
-- secondary: owned_percent, environment
-- chart: bars label=item value=billed_cost
--
-- One row per owner, most expensive first, then one row per resource without an owner, or per service of a
-- connection for costs without a resource; last the line items of the types Credit and Adjustment, which are nobody's.
-- As in CloudZero, the newest owner of a resource applies to all months (see newest_labels): an owner that was removed
-- from the tags file stays until another replaces it. percent is the share of all positive rows, owned_percent, equal
-- in all rows, the part of it with an owner. previous_cost is the billed cost of the month to compare with, $compare,
-- and difference what billed_cost is above it. percent and owned_percent are rounded, between 0 and 100, and NULL for a negative row.

with costs as (
  select
    line_item_type in ('Credit', 'Adjustment') as is_credit,
    nullif(json_text(tags, $key), '') as owner,
    nullif(resource_id, '') as resource_id,
    case when resource_id <> '' then null else concat_ws(' of ', nullif(service, ''), connection) end as service,
    max(resource_name) as resource_name,
    case when min(environment) = max(environment) then max(environment) end as environment,
    sum(case when billing_period = $month then billed_cost else amount(0) end) as billed_cost,
    sum(case when billing_period = $compare then billed_cost else amount(0) end) as previous_cost
  from daily_costs
  where billing_period in ($month, $compare)
  group by
    line_item_type in ('Credit', 'Adjustment'),
    nullif(json_text(tags, $key), ''),
    nullif(resource_id, ''),
    case when resource_id <> '' then null else concat_ws(' of ', nullif(service, ''), connection) end
),

owned as (
  select
    costs.is_credit,
    case when not is_credit then costs.owner end as owner,
    case
      when is_credit then '(credits and adjustments)'
      when costs.owner is null then coalesce(costs.resource_id, concat('(no resource) ', costs.service))
    end as item,
    case when not is_credit and costs.owner is null then costs.resource_name end as resource_name,
    case when not is_credit and costs.owner is null then costs.environment end as environment,
    costs.billed_cost,
    costs.previous_cost
  from costs
),

items as (
  select
    is_credit,
    owner,
    coalesce(owner, item) as item,
    resource_name,
    environment,
    sum(billed_cost) as billed_cost,
    sum(previous_cost) as previous_cost
  from owned
  group by is_credit, owner, coalesce(owner, item), resource_name, environment
),

ranked as (
  select *, row_number() over (order by is_credit, owner is null, billed_cost desc, item) as place
  from items
),

shown as (
  select
    is_credit,
    case when is_credit or place <= $limit then item else '(others)' end as item,
    case when place <= $limit then owner end as owner,
    case when place <= $limit then resource_name end as resource_name,
    case when place <= $limit then environment end as environment,
    least(place, $limit + 1) as place,
    sum(billed_cost) as billed_cost,
    sum(previous_cost) as previous_cost,
    sum(case when is_credit then amount(0) else greatest(billed_cost, amount(0)) end) as charges,
    sum(case when owner is not null then greatest(billed_cost, amount(0)) else amount(0) end) as owned_charges
  from ranked
  group by 1, 2, 3, 4, 5, 6
)

select
  item,
  owner,
  resource_name,
  environment,
  billed_cost,
  previous_cost,
  billed_cost - previous_cost as difference,
  case
    when not is_credit and billed_cost >= 0
      then cast(times(price(charges, sum(charges) over ()), amount(100)) as decimal(38, 2))
  end as percent,
  cast(times(price(sum(owned_charges) over (), sum(charges) over ()), amount(100)) as decimal(38, 2)) as owned_percent
from shown
order by is_credit, place
