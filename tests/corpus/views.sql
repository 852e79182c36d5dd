-- Built-in views, against the same figures from the tables.

-- name: view-daily-costs-by-day
select usage_date, sum(billed_cost), sum(discounted_cost), sum(on_demand_cost), count(*) from daily_costs group by 1
-- duckdb: select cast("time/usage_start" as date), sum("cost/cost"), sum("cost/discounted_cost"), sum("cost/on_demand_cost"), count(*) from line_items group by 1

-- name: view-daily-costs-of-one-service
select usage_date, resource_id, usage_type, billed_cost, quantity from daily_costs where service = 'Kafka' and billing_period = '2026-10'
-- duckdb: select cast("time/usage_start" as date), "resource/id", "action/usage_type", "cost/cost", "usage/amount" from line_items
--     where "resource/service" = 'Kafka' and billing_period = '2026-10'

-- name: view-real-cost-is-usage-discounted
select billing_period, sum(real_cost) from daily_costs group by 1
-- duckdb: select billing_period, coalesce(sum("cost/discounted_cost") filter (where "lineitem/type" = 'Usage'), 0) from line_items group by 1

-- name: view-monthly-costs
select billing_period, service, usage_family, line_item_type, sum(billed_cost), sum(line_items), sum(quantity) from monthly_costs group by 1, 2, 3, 4
-- duckdb: select billing_period, "resource/service", "resource/usage_family", "lineitem/type", sum("cost/cost"), count(*), sum("usage/amount") from line_items group by 1, 2, 3, 4

-- name: view-monthly-costs-filtered-by-money
select billing_period, service, billed_cost from monthly_costs where billed_cost > 500.5
-- duckdb: select billing_period, "resource/service", sum("cost/cost") from line_items group by billing_period, connection, "resource/account", "resource/service", "resource/usage_family",
--     "action/usage_type", "lineitem/type", "usage/units" having sum("cost/cost") > 500.5

-- name: view-joined-with-a-table
select count(*), sum(d.billed_cost) from daily_costs as d join (select distinct start_date from costs where amount > 150) as c on d.usage_date = c.start_date
-- duckdb: select count(*), sum("cost/cost") from line_items join (select distinct start_date from costs where amount > 150) as c on cast("time/usage_start" as date) = c.start_date

-- name: view-limit
select count(*) from (select billing_period, connection from daily_costs limit 8) as t
-- duckdb: select 8
