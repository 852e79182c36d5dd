-- Unit prices: cost per unit, by usage type, over time
-- parameter from: the first billing month [earliest]
-- parameter to: the last billing month [latest]
-- parameter usage_type: pattern of usage types; % matches any characters [%]
-- money: discounted_cost, on_demand_cost
-- secondary: cloud_provider, discounted_cost, on_demand_cost
-- chart: lines x=billing_period y=unit_price series=item
--
-- unit_price is discounted cost divided by quantity, list_price on-demand cost divided by quantity; both half-even at
-- 24 digits. Only usage with a quantity counts. A price over tiers, regions and resources is their average; NULL
-- means that the quantities sum to zero. Spellings of a unit (GB-hour, GB-Hour) are one unit.

with months as (
  select
    cloud_provider,
    usage_type,
    lower(unit) as unit,
    min(unit) as spelling,
    billing_period,
    sum(quantity) as quantity,
    sum(discounted_cost) as discounted_cost,
    sum(on_demand_cost) as on_demand_cost
  from daily_costs
  where billing_period between $from and $to
    and line_item_type = 'Usage'
    and quantity is not null
    and usage_type like $usage_type
  group by cloud_provider, usage_type, lower(unit), billing_period
),

spelled as (
  select *, min(spelling) over (partition by cloud_provider, usage_type, unit) as one_spelling
  from months
)

select
  concat(usage_type, ' per ', coalesce(one_spelling, 'unit')) as item,
  cloud_provider,
  billing_period,
  quantity,
  discounted_cost,
  on_demand_cost,
  price(discounted_cost, quantity) as unit_price,
  price(on_demand_cost, quantity) as list_price
from spelled
order by item, cloud_provider, billing_period
