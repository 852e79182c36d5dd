-- Owners: what share of a month's cost has an owner, and which resources have none
-- parameter month: the billing month [latest]
-- parameter key: the tag that names owners [team]
-- parameter limit: rows at most [100]
-- money: billed_cost
-- total: billed_cost, percent
-- secondary: owned_percent, environment
-- chart: bars label=item value=billed_cost
--
-- A row an owner, the dearest first, then a row each for what has none: a resource, or a service of a connection
-- where costs have no resource. As in CloudZero, a resource has one owner, the latest that was published, for all its
-- history: one that was taken out of the file of tags stays until another one comes. percent is the part of
-- the month's billed cost; owned_percent, the same in every row, is the part that has an owner. Both are rounded.

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
