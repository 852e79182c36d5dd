-- ORDER BY, LIMIT and OFFSET.

-- name: order-by-money
-- rows: ordered
select amount, record_id, ordinal from costs order by amount, record_id, ordinal limit 100

-- name: order-by-money-descending
-- rows: ordered
select amount, record_id, ordinal from costs order by amount desc, record_id, ordinal limit 400

-- name: order-by-money-nulls-last
-- rows: ordered
select amount, record_id, ordinal from costs order by amount desc nulls last, record_id, ordinal limit 100

-- name: order-by-money-nulls-first
-- rows: ordered
select price, record_id, ordinal from costs order by price nulls first, record_id desc, ordinal desc limit 1300

-- name: order-whole-month
-- rows: ordered
select record_id, ordinal, amount, product from costs where billing_period = '2026-10' order by product, amount, record_id, ordinal

-- name: order-by-ordinal-of-column
-- rows: ordered
select product, sum(amount) from costs where product is not null group by 1 order by 2 desc, 1

-- name: order-by-alias
-- rows: ordered
select product as p, sum(amount) as total from costs group by product order by total, p

-- name: order-by-expression
-- rows: ordered
select record_id, amount from costs where amount < 0 order by abs(amount) desc, record_id, ordinal

-- name: order-by-column-not-shown
-- rows: ordered
select record_id from costs order by start_date, quantity desc nulls last, record_id, ordinal limit 50 offset 500

-- name: order-by-case
-- rows: ordered
select distinct billing_period, case when billing_period = '2026-10' then 0 else 1 end as other from costs order by other, billing_period

-- name: order-text-by-bytes
-- rows: ordered
select distinct resource_name from costs order by resource_name

-- name: order-rounded-money
-- rows: ordered
select round(amount, 1) as tenth, count(*) from costs where billing_period = '2026-10' and amount is not null group by 1 order by 1 desc

-- name: order-line-items-dearest-first
-- rows: ordered
select "lineitem/id", "cost/cost" from line_items order by "cost/cost" desc, "lineitem/id" limit 25

-- name: order-top-resources
-- rows: ordered
select "resource/id", sum("cost/cost") as total from line_items group by 1 order by total desc, 1 limit 5

-- name: order-top-groups-by-maximum
-- rows: ordered
select resource_id, max(amount) from costs where resource_id is not null and amount is not null group by resource_id order by 2 desc, 1 limit 7

-- name: order-top-one-of-ties
-- rows: ordered
select discount_amount, record_id, ordinal from costs where discount_amount = 0 order by discount_amount, record_id, ordinal limit 10

-- name: limit-partition-columns-only
-- duckdb: select '2026-10' from range(3)
select billing_period from costs where billing_period = '2026-10' limit 3

-- name: limit-partition-columns-concat
-- duckdb: select 'demo' from range(5)
select connection from line_items limit 5

-- name: limit-one-partition-column-of-all
-- duckdb: select 1
select count(*) from (select billing_period from costs limit 1) as t

-- name: limit-expression-of-partition-columns
-- duckdb: select 7
select count(*) from (select concat(connection, billing_period) from costs limit 7) as t

-- name: limit-coalesce-of-partition-columns
-- duckdb: select true from range(4)
select coalesce(billing_period, '') <> '' from costs limit 4

-- name: limit-count-of-literals
-- duckdb: select 1 from range(9)
select 1 from costs limit 9

-- name: limit-zero
-- empty: true
select * from costs limit 0

-- name: limit-larger-than-the-table
select count(*) from (select record_id from costs limit 100000000) as t

-- name: limit-is-of-rows-that-pass-the-filter
-- duckdb: select 20
select count(*) from (select record_id from costs where amount < 0 limit 20) as t

-- name: limit-with-offset-counts
-- duckdb: select (select count(*) from costs) - 100
select count(*) from (select record_id from costs offset 100) as t

-- name: limit-offset-past-the-end
-- empty: true
select billing_period from costs offset 100000000

-- name: limit-offset-of-partition-columns
-- rows: ordered
select distinct billing_period from costs order by 1 limit 3 offset 10

-- name: limit-offset-partition-columns-unordered
-- duckdb: select 5
select count(*) from (select connection, billing_period from costs limit 5 offset 3) as t

-- name: limit-in-subquery-then-join
-- duckdb: select 10
select count(*) from (select record_id, ordinal from costs order by record_id, ordinal limit 10) as a join costs as b on a.record_id = b.record_id and a.ordinal = b.ordinal

-- name: limit-of-union
-- duckdb: select 12
select count(*) from (select billing_period from costs union all select billing_period from line_items limit 12) as t

-- name: limit-of-distinct
-- duckdb: select 4
select count(*) from (select distinct billing_period from costs limit 4) as t

-- name: limit-of-cross-join
-- duckdb: select 1000
select count(*) from (select a.billing_period from costs as a, costs as b limit 1000) as t

-- name: limit-pages-cover-everything
select count(*), count(distinct (record_id || '/' || cast(ordinal as varchar))) from
((select record_id, ordinal from costs order by record_id, ordinal limit 15000) union all (select record_id, ordinal from costs order by record_id, ordinal offset 15000)) as t

-- name: fetch-first-rows
-- error: FETCH clause is not supported
select record_id, amount from costs where amount is not null order by amount desc, record_id, ordinal fetch first 3 rows only
