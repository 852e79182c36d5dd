-- Sums, counts and other aggregates, grouping of every kind.

-- name: agg-total-of-everything
select count(*), count(amount), sum(amount), min(amount), max(amount), sum(original_amount), sum(discount_amount) from costs

-- name: agg-by-month
select billing_period, sum("cost/cost"), sum("cost/discounted_cost"), sum("cost/on_demand_cost"), count(*) from line_items group by billing_period

-- name: agg-by-service-and-family
select "resource/service", "resource/usage_family", count(*), sum("cost/cost") from line_items group by 1, 2

-- name: agg-by-day
select "time/usage_start", count(*), sum("cost/cost") from line_items group by 1

-- name: agg-by-resource
select "resource/id", "resource/account", sum("cost/cost"), sum("usage/amount") from line_items group by 1, 2

-- name: agg-group-by-alias
select product as p, sum(amount) as total from costs group by p

-- name: agg-group-by-expression
select substr(billing_period, 1, 4) as year, amount > 10 as big, sum(amount) from costs group by substr(billing_period, 1, 4), amount > 10

-- name: agg-group-by-all-columns-of-money
select price, quantity, original_amount, count(*) from costs group by price, quantity, original_amount having count(*) > 5

-- name: agg-sum-of-no-rows
select sum(amount), count(amount), count(*), min(amount), max(product) from costs where 1 = 0

-- name: agg-group-of-no-rows
-- empty: true
select product, sum(amount) from costs where 1 = 0 group by product

-- name: agg-sum-of-nulls-only
select sum(amount), count(amount), count(*) from costs where amount is null

-- name: agg-count-distinct
select count(distinct product), count(distinct resource_id), count(distinct amount), count(distinct start_date), count(distinct connection) from costs

-- name: agg-count-distinct-by-month
select billing_period, count(distinct resource_id), count(distinct amount), count(distinct line_type) from costs group by 1

-- name: agg-count-distinct-pairs
select count(*) from (select distinct product, line_type from costs) as t

-- name: agg-sum-distinct
select sum(distinct price), count(distinct price) from costs

-- name: agg-sum-distinct-with-plain-sum
select billing_period, sum(distinct original_amount), sum(original_amount) from costs group by 1

-- name: agg-filter-where
select billing_period, sum(amount) filter (where product = 'KAFKA'), sum(amount) filter (where amount < 0), count(*) filter (where amount is null)
from costs group by 1

-- name: agg-filter-matches-nothing
select sum(amount) filter (where amount > 1000000), count(*) filter (where amount > 1000000) from costs

-- name: agg-pivot-by-case
select product, sum(case when billing_period = '2026-09' then amount end) as september, sum(case when billing_period = '2026-10' then amount else 0 end) as october
from costs group by product

-- name: agg-pivot-difference-of-months
select "resource/service", sum(case when billing_period = '2026-10' then "cost/cost" when billing_period = '2026-09' then -"cost/cost" else 0 end) as change
from line_items group by 1

-- name: agg-having-money
select resource_id, sum(amount) from costs group by resource_id having sum(amount) > 1000.5

-- name: agg-having-equals-exact-sum
select billing_period, sum("cost/cost") from line_items group by 1 having sum("cost/cost") = 35604.67290168888888168888888

-- name: agg-having-count-without-group
select sum(amount) from costs having count(*) > 1

-- name: agg-having-excludes-all
-- empty: true
select product, sum(amount) from costs group by product having sum(amount) > 99999999.99

-- name: agg-grouping-sets
select billing_period, product, sum(amount), count(*) from costs group by grouping sets ((billing_period, product), (billing_period), (product), ())

-- name: agg-rollup
select product, line_type, sum(amount) from costs where product is not null group by rollup (product, line_type)

-- name: agg-cube
select "lineitem/type", "resource/service", sum("cost/cost"), count(*) from line_items group by cube ("lineitem/type", "resource/service")

-- name: agg-grouping-function
select product, line_type, grouping(product), grouping(line_type), sum(amount) from costs group by rollup (product, line_type)

-- name: agg-rollup-tells-null-from-total
select product, grouping(product), count(*) from costs group by rollup (product)

-- name: agg-average-of-exact-values
-- duckdb: select 2.5, 0.3, -1.25
select avg(a), avg(b), avg(c) from (values (cast(1 as decimal(38, 24)), cast(0.1 as decimal(38, 24)), cast(-1 as decimal(38, 24))),
       (4, 0.5, -1.5)) as v(a, b, c)

-- name: agg-average-of-each-month
-- duckdb: select billing_period, placed(units(sum(amount)) * 10000 // count(amount), 28)::decimal(38, 28) from costs group by 1
select billing_period, avg(amount) from costs group by 1

-- name: agg-average-of-integers
select avg(ordinal) = sum(ordinal) / cast(count(ordinal) as double) from costs

-- name: agg-median-of-odd-count
-- duckdb: select 3.3
select median(x) from (values (cast(1.1 as decimal(38, 24))), (3.3), (22.2)) as v(x)

-- name: agg-median-of-even-count
-- duckdb: select 2.75
select median(x) from (values (cast(1.1 as decimal(38, 24))), (2.2), (3.3), (22.2)) as v(x)

-- name: agg-first-and-last-value
-- duckdb: select product, arg_min(line_type, (start_date, record_id, ordinal)), arg_max(line_type, (start_date, record_id, ordinal)) from costs group by product
select product, first_value(line_type order by start_date, record_id, ordinal), last_value(line_type order by start_date, record_id, ordinal)
from costs group by product

-- name: agg-dearest-record-of-each-month
-- duckdb: select billing_period, max(amount), arg_max(record_id, (amount, record_id)) from costs where amount is not null group by 1
select billing_period, max(amount), first_value(record_id order by amount desc, record_id desc) from costs where amount is not null group by 1

-- name: agg-string-agg
-- duckdb: select product, string_agg(distinct line_type, ',' order by line_type) from costs where product is not null group by 1
select product, string_agg(distinct line_type, ',' order by line_type) from costs where product is not null group by 1

-- name: agg-bool-and-or
select product, bool_and(amount >= 0), bool_or(amount < 0) from costs group by product

-- name: agg-min-max-of-text-and-dates
select min(product), max(product), min(start_date), max(end_date), min(resource_name), max(record_id) from costs

-- name: agg-min-max-of-partition-columns-by-type
select line_type, min(billing_period), max(billing_period), count(distinct billing_period) from costs group by 1

-- name: agg-of-agg
select max(total), min(total), count(*) from (select resource_id, sum(amount) as total from costs group by resource_id) as t

-- name: agg-nested-twice
select sum(total), max(n) from (select billing_period, sum(total) as total, count(*) as n from
       (select billing_period, product, sum(amount) as total from costs group by 1, 2) as a group by 1) as b

-- name: agg-many-groups
select record_id, ordinal, count(*), sum(amount) from costs where billing_period <= '2026-02' group by 1, 2

-- name: agg-sum-plus-sum
select sum(original_amount) - sum(discount_amount) - sum(amount), sum(original_amount) + sum(discount_amount) from costs

-- name: agg-sums-of-shifted-money
select sum(amount + 0.01), sum(amount - 0.01) from costs

-- name: agg-sums-of-money-and-integers
select sum(amount + 1), sum(amount + 2), sum(amount - 3) from costs

-- name: agg-sum-of-negated-difference
select sum(1.5 - amount), sum(amount - 1.5) from costs

-- name: agg-sum-of-literal
select sum(0.1), sum(1), sum(0.000000000000000000000001) from costs

-- name: agg-sum-of-case-literals
select sum(case when amount > 1 then 0.1 else 0.02 end) from costs

-- name: agg-count-star-and-one
select count(*), count(1), count(null), count(resource_id), count(case when amount > 5 then 1 end) from costs

-- name: agg-without-group-columns-shown
select sum(amount) from costs group by product, line_type

-- name: agg-group-by-all-partitions-and-money-band
-- duckdb: select billing_period, floor(cast(amount as decimal(18, 4)) / 10), count(*), sum(amount) from costs where false group by 1, 2
-- empty: true
select billing_period, floor(amount / 10), count(*), sum(amount) from costs where amount > 1000000 group by 1, 2

-- name: agg-group-by-rounded-money
select round(amount, 0), count(*), sum(amount) from costs group by 1

-- name: agg-total-beside-parts
select product, sum(amount) as part, (select sum(amount) as whole from costs) as whole from costs group by product

-- name: agg-variance-free-spread
select line_type, max(amount) - min(amount), max(amount) + min(amount) from costs group by line_type
