-- Amounts in two currencies (corpus_bill.py), and the cost columns of published line items.

-- name: currency-of-all-rows
-- store: bill
select "lineitem/id", currency, "cost/cost" from bill

-- name: currency-distinct
-- store: bill
select distinct currency from bill

-- name: currency-sums-of-a-source
-- store: bill
select currency, count(*), sum("cost/cost"), sum("cost/discounted_cost") from bill group by 1

-- name: currency-never-null
-- store: bill
select count(*) from bill where currency is null

-- name: currency-filter
-- store: bill
select count(*), sum("cost/cost") from bill where currency = 'EUR'

-- name: currency-filter-not-equal
-- store: bill
select count(*), min("cost/cost"), max("cost/cost") from bill where currency <> 'EUR'

-- name: currency-by-month-and-service
-- store: bill
select billing_period, "resource/service", currency, sum("cost/cost") from bill group by 1, 2, 3

-- name: currency-of-the-largest-cost
-- store: bill
-- rows: ordered
select currency, "cost/cost" from bill order by "cost/cost" desc, "lineitem/id" limit 5

-- name: currency-rank-in-each
-- store: bill
select currency, "lineitem/id" from (
  select currency, "lineitem/id", row_number() over (partition by currency order by "cost/cost" desc, "lineitem/id") as place from bill
) as ranked where place <= 3

-- name: currency-in-daily-costs
-- store: bill
select usage_date, currency, sum(billed_cost), sum(discounted_cost), sum(on_demand_cost) from daily_costs where connection = 'bill' group by 1, 2
-- duckdb: select cast("time/usage_start" as date), currency, sum("cost/cost"), sum(coalesce("cost/discounted_cost", "cost/cost")), sum("cost/cost") from bill group by 1, 2

-- name: currency-of-store-and-source
-- store: bill
select connection, currency, count(*) from all_line_items group by 1, 2
-- duckdb: select connection, 'USD', count(*) from line_items group by 1 union all select connection, currency, count(*) from bill group by 1, 2

-- name: currency-sums-of-store-and-source
-- store: bill
select currency, sum(billed_cost) from daily_costs group by 1
-- duckdb: select currency, sum(cost) from (select 'USD' as currency, "cost/cost" as cost from line_items union all select currency, "cost/cost" from bill) as t group by 1

-- name: currency-in-monthly-costs
-- store: bill
select billing_period, currency, sum(billed_cost), sum(line_items), sum(quantity) from monthly_costs where connection = 'bill' group by 1, 2
-- duckdb: select billing_period, currency, sum("cost/cost"), count(*), sum("usage/amount") from bill group by 1, 2

-- name: currency-in-cost-changes
-- store: bill
select currency, sum(change), sum(billed_cost) from cost_changes where connection = 'bill' and billing_period = '2026-10' group by 1
-- duckdb: select currency, coalesce(sum("cost/cost") filter (where billing_period = '2026-10'), 0) - coalesce(sum("cost/cost") filter (where billing_period = '2026-09'), 0),
--     coalesce(sum("cost/cost") filter (where billing_period = '2026-10'), 0) from bill group by 1

-- name: currency-real-cost
-- store: bill
select currency, sum(real_cost) from daily_costs where connection = 'bill' group by 1
-- duckdb: select currency, sum(case when "lineitem/type" = 'Usage' then coalesce("cost/discounted_cost", "cost/cost") else 0 end) from bill group by 1

-- name: money-amortized-equals-cost
select billing_period, "lineitem/type", sum("cost/amortized_cost") from line_items group by 1, 2
-- duckdb: select billing_period, "lineitem/type", sum("cost/cost") from line_items group by 1, 2

-- name: money-discounted-amortized-equals-net
select billing_period, sum("cost/discounted_amortized_cost") from line_items group by 1
-- duckdb: select billing_period, sum(coalesce(amount, original_amount - coalesce(discount_amount, 0))) from costs group by 1

-- name: money-real-cost-is-never-the-list-price
select billing_period, sum(real_cost), count(*) filter (where line_item_type = 'Usage' and real_cost > discounted_cost) from daily_costs group by 1
-- duckdb: select billing_period, sum(case when "lineitem/type" = 'Usage' then "cost/discounted_amortized_cost" else 0 end), 0 from line_items group by 1

-- name: money-no-usage-without-a-use
select "lineitem/type", count("usage/amount"), count("usage/units") from line_items where "lineitem/type" not in ('Usage', 'Support') group by 1
-- duckdb: select "lineitem/type", 0, 0 from line_items where "lineitem/type" not in ('Usage', 'Support') group by 1

-- name: money-quantities-of-usage
select billing_period, sum("usage/amount") from line_items group by 1
-- duckdb: select billing_period, sum(quantity) from costs
--     where line_type <> 'PROMO_CREDIT' and (original_amount >= 0 or starts_with(line_type, 'SUPPORT') or starts_with(coalesce(product, ''), 'SUPPORT')) group by 1

-- name: money-promo-credits-have-no-list-price
select billing_period, sum("cost/on_demand_cost") from line_items where "action/usage_type" = 'PROMO_CREDIT' group by 1
-- duckdb: select billing_period, coalesce(sum(original_amount) filter (where original_amount >= 0 and coalesce(amount, original_amount - coalesce(discount_amount, 0)) >= 0), 0)
--     from costs where line_type = 'PROMO_CREDIT' group by 1
