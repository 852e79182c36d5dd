-- The export of the store as a source beside it: `exported` has its raw rows in DuckDB.

-- name: export-rows
-- store: focus
-- duckdb: select count(*) from exported
select count(*) from focus

-- name: export-sums
-- store: focus
-- duckdb: select sum("BilledCost"), sum("BilledCost"), sum("EffectiveCost"), sum("ListCost") from exported
select sum("cost/cost"), sum("cost/discounted_cost"), sum("cost/discounted_amortized_cost"), sum("cost/on_demand_cost") from focus

-- name: export-is-published
-- store: focus
-- duckdb: select billing_period, sum("cost/cost") from line_items group by 1
select billing_period, sum("cost/cost") from focus group by 1

-- name: export-list-is-published
-- store: focus
-- duckdb: select billing_period, sum(coalesce("cost/on_demand_cost", 0)) from line_items where "lineitem/type" <> 'Discount' group by 1
select billing_period, sum("cost/on_demand_cost") from focus group by 1

-- name: export-usage-is-published
-- store: focus
-- duckdb: select "action/usage_type", sum("usage/amount") from line_items where "lineitem/type" = 'Usage' group by 1
select "action/usage_type", sum("usage/amount") from focus where "lineitem/type" = 'Usage' group by 1

-- name: export-resources
-- store: focus
-- duckdb: select nullif("resource/id", ''), sum("cost/discounted_cost") from line_items group by 1
select "resource/id", sum("cost/cost") from focus group by 1

-- name: export-services
-- store: focus
-- duckdb: select "ServiceName", count(*), sum("BilledCost") from exported group by 1
select "resource/service", count(*), sum("cost/cost") from focus group by 1

-- name: export-types
-- store: focus
-- duckdb: select "x_LineItemType", count(*), sum("BilledCost") from exported group by 1
select "lineitem/type", count(*), sum("cost/cost") from focus group by 1

-- name: export-regions
-- store: focus
-- duckdb: select "RegionId", sum("BilledCost") from exported group by 1
select "resource/region", sum("cost/cost") from focus group by 1

-- name: export-starts
-- store: focus
-- duckdb: select min("ChargePeriodStart"), max("ChargePeriodStart"), max("ChargePeriodEnd") from exported
select min("time/usage_start"), max("time/usage_start"), max("time/usage_end") from focus

-- name: export-names
-- store: focus
-- duckdb: select "ResourceName", count(*) from exported group by 1
select "resource/tag:confluent_name", count(*) from focus group by 1

-- name: export-team-tags
-- store: focus
-- duckdb: select json_extract_string("Tags", '$.confluent_cloud'), count(*), sum("BilledCost") from exported group by 1
select json_text(tags, 'confluent_cloud'), count(*), sum("cost/cost") from focus group by 1

-- name: export-days
-- store: focus
-- duckdb: select cast("time/usage_start" as date), sum("cost/cost") from line_items where billing_period = '2026-10' group by 1
select cast("time/usage_start" as date), sum("cost/cost") from focus where billing_period = '2026-10' group by 1

-- name: export-beside-published
-- store: focus
-- duckdb: select billing_period, 2, cast(0 as decimal(38, 24)) from line_items group by 1
select billing_period, count(distinct connection), sum(case connection when 'focus' then billed_cost else -billed_cost end) from daily_costs group by 1
