-- Marketplace charges: costs of Confluent on the bills of cloud providers, by source and month
-- parameter from: the first billing month [earliest]
-- parameter to: the last billing month [latest]
-- parameter limit: maximum number of rows, newest month first [24]
-- money: billed_cost, imported_cost
-- total: billed_cost
-- secondary: first_description
-- chart: bars label=source value=billed_cost
-- empty: no source (--source, BILLSTREAM_SOURCES) has charges in these months that name Confluent
--
-- Looks at sources (`--source`, BILLSTREAM_SOURCES) only: rows whose service, product, resource or description names
-- Confluent. imported_cost is the billed cost of the month that billstream imported, of all connections. If both are
-- in CloudZero, it counts the same dollars twice.

with own as (
  select distinct connection from line_items
),

imported as (
  select daily_costs.billing_period, sum(daily_costs.billed_cost) as billed_cost
  from own
  inner join daily_costs on daily_costs.connection = own.connection
  group by daily_costs.billing_period
),

charges as (
  select
    daily_costs.connection as source,
    daily_costs.billing_period,
    count(*) as line_items,
    sum(daily_costs.billed_cost) as billed_cost,
    min(coalesce(daily_costs.description, daily_costs.service)) as first_description
  from daily_costs
  left join own on own.connection = daily_costs.connection
  where
    own.connection is null
    and daily_costs.billing_period between $from and $to
    and lower(concat_ws(
      ' ', daily_costs.service, daily_costs.usage_family, daily_costs.usage_type, daily_costs.resource_id,
      daily_costs.resource_name, daily_costs.description
    )) like '%confluent%'
  group by daily_costs.connection, daily_costs.billing_period
)

select
  charges.source,
  charges.billing_period,
  charges.line_items,
  charges.billed_cost,
  imported.billed_cost as imported_cost,
  charges.first_description
from charges
left join imported on imported.billing_period = charges.billing_period
order by charges.billing_period desc, charges.source
limit $limit
