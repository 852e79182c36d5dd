-- Hourly line items: splits each daily cost into 24 parts that add up to it exactly.
-- Used for deliveries with hourly granularity; published line items stay daily.
-- To override it, put a file of the same name into your SQL folder. It replaces this file as a whole.
--
-- It reads
--   line_items                  the published line items of one connection and one billing period
--   share(amount, part, parts)  one of equal parts, truncated at the scale; the last part takes the remainder
-- It must return the columns of line_items, with equal totals per day, type and usage type.

with counted as (
  select
    line_items.*,
    -- Credits and adjustments belong to no hour; items that do not span a day are not split.
    case
      when "lineitem/type" in ('Credit', 'Adjustment') then cast(1 as bigint)
      when date_trunc('day', "time/usage_start") = "time/usage_start"
        and "time/usage_end" = "time/usage_start" + interval '1 day' then cast(24 as bigint)
      else cast(1 as bigint)
    end as hours,
    "lineitem/type" = 'Usage' and "cost/discounted_cost" < "cost/cost" as is_discounted
  from line_items
  -- Created again below, per hour of their usage.
  where not ("lineitem/type" = 'Discount' and "lineitem/id" like '%-discount')
),

typed as (
  select
    *,
    unnest(
      case when is_discounted then make_array('Usage', 'Discount') else make_array("lineitem/type") end
    ) as type
  from counted
),

spread as (
  select
    *,
    unnest(
      case
        when hours = 24 then range(cast(0 as bigint), cast(24 as bigint))
        else make_array(cast(0 as bigint))
      end
    ) as hour
  from typed
),

priced as (
  select
    *,
    share("cost/cost", hour, hours) as hour_cost,
    share("cost/discounted_cost", hour, hours) as hour_discounted_cost,
    share("cost/on_demand_cost", hour, hours) as hour_on_demand_cost,
    share("cost/amortized_cost", hour, hours) as hour_amortized_cost,
    share("cost/discounted_amortized_cost", hour, hours) as hour_discounted_amortized_cost,
    is_discounted and type = 'Discount' as is_discount
  from spread
)

select * exclude (
  hours, is_discounted, type, hour, hour_cost, hour_discounted_cost, hour_on_demand_cost, hour_amortized_cost,
  hour_discounted_amortized_cost, is_discount
) replace (
  concat(
    "lineitem/id",
    case when is_discount then '-discount' else '' end,
    case when hours = 24 then concat('-h', lpad(cast(hour as varchar), 2, '0')) else '' end
  ) as "lineitem/id",
  type as "lineitem/type",
  arrow_cast(
    arrow_cast("time/usage_start", 'Int64') + hour * cast(3600000000 as bigint),
    'Timestamp(Microsecond, Some("UTC"))'
  ) as "time/usage_start",
  case
    when hours = 24 then arrow_cast(
      arrow_cast("time/usage_start", 'Int64') + (hour + cast(1 as bigint)) * cast(3600000000 as bigint),
      'Timestamp(Microsecond, Some("UTC"))'
    )
    else "time/usage_end"
  end as "time/usage_end",
  case when is_discount then null else share("usage/amount", hour, hours) end as "usage/amount",
  case when is_discount then null else "usage/units" end as "usage/units",
  -- The discount of an hour is its net minus its original.
  case when is_discount then hour_discounted_cost - hour_cost else hour_cost end as "cost/cost",
  case when is_discount then cast(0 as decimal(38, 24)) else hour_discounted_cost end
    as "cost/discounted_cost",
  case when is_discount then cast(0 as decimal(38, 24)) else hour_on_demand_cost end
    as "cost/on_demand_cost",
  -- NULL where the day has none: line items of older versions.
  case when is_discount then hour_discounted_amortized_cost - hour_amortized_cost else hour_amortized_cost end
    as "cost/amortized_cost",
  case
    when not is_discount then hour_discounted_amortized_cost
    when hour_discounted_amortized_cost is not null then cast(0 as decimal(38, 24))
  end as "cost/discounted_amortized_cost"
)
from priced
-- A discount of a few units in the last place is zero in some hours.
where not (
  is_discount
  and hour_discounted_cost = hour_cost
  and hour_discounted_amortized_cost is not distinct from hour_amortized_cost
)
