-- Unit prices: cost per unit, by usage type, region and tier, over time
-- parameter from: the first billing month [earliest]
-- parameter to: the last billing month [latest]
-- parameter usage_type: pattern of usage types; % matches any characters [%]
-- money: discounted_cost, on_demand_cost
-- secondary: cloud_provider, discounted_cost, on_demand_cost, quantity
-- chart: lines x=billing_period y=unit_price series=item,region,operation,tier weight=on_demand_cost
--
-- unit_price is discounted cost divided by quantity, list_price on-demand cost divided by quantity; both half-even at
-- 24 digits. Only usage with a quantity counts. A row has one usage type, unit, region, operation (network access)
-- and tier. tier numbers the list prices of a month, highest first: price tiers, types of
-- clusters and prices that changed within the month are apart. Prices within 2 % are one, because amounts are rounded
-- at the source. NULL means that the quantities sum to zero. Spellings of a unit (GB-hour, GB-Hour) are one unit.

with usage_items as (
  select
    cloud_provider,
    usage_type,
    lower(unit) as unit,
    unit as spelling,
    nullif(region, '') as region,
    nullif(operation, '') as operation,
    billing_period,
    -- Steps of 0.2 % on a logarithmic scale; NULL if the amount is too small to give a price, or zero.
    case
      when on_demand_cost >= 0.01 and quantity > 0
        then cast(round(ln(cast(price(on_demand_cost, quantity) as double)) * 500) as bigint)
    end as step,
    on_demand_cost = 0 as is_free,
    quantity,
    discounted_cost,
    on_demand_cost
  from daily_costs
  where billing_period between $from and $to
    and line_item_type = 'Usage'
    and quantity is not null
    and usage_type like $usage_type
),

prices as (
  select
    cloud_provider, usage_type, unit, region, operation, billing_period, step, is_free,
    min(spelling) as spelling,
    sum(quantity) as quantity,
    sum(discounted_cost) as discounted_cost,
    sum(on_demand_cost) as on_demand_cost
  from usage_items
  group by cloud_provider, usage_type, unit, region, operation, billing_period, step, is_free
),

-- Small amounts have the price of their sum, which the rounding of single ones hardly changes, or the highest one if
-- the sum is small, too.
stepped as (
  select
    * exclude (step),
    coalesce(
      step,
      case
        when on_demand_cost >= 0.01 and quantity > 0
          then cast(round(ln(cast(price(on_demand_cost, quantity) as double)) * 500) as bigint)
      end,
      case
        when not is_free then max(step) over (
          partition by cloud_provider, usage_type, unit, region, operation, billing_period
        )
      end,
      -1000000
    ) as step
  from prices
),

-- The next lower price is another tier if it is more than 10 steps away.
neighbours as (
  select
    *,
    lag(step) over (
      partition by cloud_provider, usage_type, unit, region, operation, billing_period
      order by step desc, is_free
    ) as higher_step
  from stepped
),

tiers as (
  select
    *,
    1 + sum(case when higher_step - step > 10 then 1 else 0 end) over (
      partition by cloud_provider, usage_type, unit, region, operation, billing_period
      order by step desc, is_free
      rows between unbounded preceding and current row
    ) as tier
  from neighbours
),

spelled as (
  select *, min(spelling) over (partition by cloud_provider, usage_type, unit) as one_spelling
  from tiers
),

summed as (
  select
    cloud_provider, usage_type, one_spelling, region, operation, billing_period, tier,
    sum(quantity) as quantity,
    sum(discounted_cost) as discounted_cost,
    sum(on_demand_cost) as on_demand_cost
  from spelled
  group by cloud_provider, usage_type, one_spelling, region, operation, billing_period, tier
)

select
  concat(usage_type, ' per ', coalesce(one_spelling, 'unit')) as item,
  cloud_provider,
  region,
  operation,
  tier,
  billing_period,
  quantity,
  discounted_cost,
  on_demand_cost,
  price(discounted_cost, quantity) as unit_price,
  price(on_demand_cost, quantity) as list_price
from summed
order by item, cloud_provider, region, operation, tier, billing_period
