-- Owners: cost by owner in a month, and resources without an owner
-- parameter month: the billing month [latest]
-- parameter key: the tag with the owner [team]
-- parameter limit: maximum number of rows [100]
-- money: billed_cost
-- total: billed_cost, percent
-- secondary: owned_percent, environment
-- chart: bars label=item value=billed_cost
--
-- One row per owner, most expensive first, then one row per resource without an owner, or per service of a
-- connection for costs without a resource. As in CloudZero, the latest published owner of a resource applies to its
-- whole history: an owner that was removed from the tags file stays until another replaces it. percent is the share
-- of the month's billed cost; owned_percent, equal in all rows, is the share with an owner. Both are rounded.

with latest as (
  select
    resource_id,
    last_value(owner order by usage_date, owner) as owner
  from (
    select resource_id, usage_date, json_text(tags, $key) as owner from daily_costs where resource_id <> ''
  ) as tagged
  where owner <> ''
  group by resource_id
),

costs as (
  select
    nullif(resource_id, '') as resource_id,
    case when resource_id <> '' then null else service end as service,
    max(resource_name) as resource_name,
    case when min(environment) = max(environment) then max(environment) end as environment,
    sum(billed_cost) as billed_cost
  from daily_costs
  where billing_period = $month
  group by
    nullif(resource_id, ''),
    case when resource_id <> '' then null else service end,
    case when resource_id <> '' then null else connection end
),

owned as (
  select
    latest.owner,
    case when latest.owner is null then coalesce(costs.resource_id, concat('(no resource) ', costs.service)) end as item,
    case when latest.owner is null then costs.resource_name end as resource_name,
    case when latest.owner is null then costs.environment end as environment,
    costs.billed_cost
  from costs
  left join latest on latest.resource_id = costs.resource_id
),

items as (
  select
    owner,
    coalesce(owner, item) as item,
    resource_name,
    environment,
    sum(billed_cost) as billed_cost
  from owned
  group by owner, coalesce(owner, item), resource_name, environment
)

select
  item,
  owner,
  resource_name,
  environment,
  billed_cost,
  cast(times(price(billed_cost, sum(billed_cost) over ()), amount(100)) as decimal(38, 2)) as percent,
  cast(times(price(
    sum(case when owner is not null then billed_cost else amount(0) end) over (), sum(billed_cost) over ()
  ), amount(100)) as decimal(38, 2)) as owned_percent
from items
order by owner is null, billed_cost desc, item
limit $limit
