-- Filters on partition columns, text and money, separate and combined.

-- name: filter-one-month
select count(*), sum(amount) from costs where billing_period = '2026-10'

-- name: filter-month-that-is-not-there
select count(*), sum(amount), min(billing_period) from costs where billing_period = '2024-01'

-- name: filter-months-in
select billing_period, count(*) from costs where billing_period in ('2026-09', '2026-10', '2031-01') group by 1

-- name: filter-months-not-in
select billing_period, count(*) from costs where billing_period not in ('2026-09', '2026-10') group by 1

-- name: filter-months-like
select billing_period, sum("cost/cost") from line_items where billing_period like '2025-%' group by 1

-- name: filter-months-not-like
select billing_period, sum("cost/cost") from line_items where billing_period not like '%-1_' group by 1

-- name: filter-months-before
select count(*), sum("cost/cost") from line_items where billing_period < '2026-03'

-- name: filter-months-between
select billing_period, count(*) from line_items where billing_period between '2026-02' and '2026-04' group by 1

-- name: filter-months-or-money
select billing_period, count(*), sum(amount) from costs where billing_period = '2026-10' or amount = 5.009 group by 1

-- name: filter-months-and-money
select count(*), sum(amount) from costs where billing_period >= '2026-06' and amount > 100.5

-- name: filter-connection
select connection, count(*) from line_items where connection = 'demo' and billing_period = '2026-01' group by 1

-- name: filter-other-connection
select count(*) from line_items where connection <> 'demo'

-- name: filter-connection-and-months-or
select count(*), sum(amount) from costs
where (connection = 'demo' and billing_period = '2026-01') or (connection = 'other' and billing_period = '2026-02') or amount = -40

-- name: filter-month-by-expression
select count(*) from costs where substr(billing_period, 6, 2) = '10' and substr(billing_period, 1, 4) = '2026'

-- name: filter-month-by-concat
select count(*) from costs where concat(connection, '/', billing_period) = 'demo/2026-10'

-- name: filter-month-against-date
select count(*) from costs where billing_period <> substr(cast(start_date as varchar), 1, 7)

-- name: filter-month-not
select count(*) from costs where not (billing_period = '2026-10')

-- name: filter-month-is-null
select count(*) filter (where billing_period is null), count(*) filter (where billing_period is not null) from costs

-- name: filter-month-case
select case when billing_period < '2026-01' then 'last year' else 'this year' end as year, sum(amount) from costs group by 1

-- name: filter-count-of-month-column
select count(billing_period), count(connection), count(distinct billing_period), min(billing_period), max(billing_period) from line_items

-- name: filter-partition-columns-only
-- rows: ordered
select distinct connection, billing_period from costs order by 1, 2

-- name: filter-partition-columns-grouped
select connection, billing_period, count(*) from line_items group by connection, billing_period

-- name: filter-partition-columns-swapped
select billing_period, connection, billing_period as again from costs where billing_period = '2026-11' and line_type = 'SUPPORT'

-- name: filter-partition-upper
select distinct upper(connection), length(billing_period), billing_period || '-01' from costs

-- name: filter-type-and-service
select count(*), sum("cost/cost") from line_items where "lineitem/type" = 'Usage' and "resource/service" in ('Kafka', 'Connect')

-- name: filter-negated-or
select count(*) from costs where not (product = 'KAFKA' or amount > 1.5 or billing_period = '2026-10')

-- name: filter-money-and-text-or
select product, count(*), sum(amount) from costs where (product = 'KAFKA' and amount > 20) or (product <> 'KAFKA' and amount < 0.5) group by 1

-- name: filter-always-false
-- empty: true
select * from costs where 1 = 0

-- name: filter-always-true
select count(*) from costs where 1 = 1 and true

-- name: filter-on-null-literal
select count(*) from costs where amount = null

-- name: filter-boolean-expression
select amount > 0 as charged, discount_amount > 0 and amount > 0 as discounted, count(*) from costs group by 1, 2

-- name: filter-in-empty-result
select count(*) from costs where billing_period in (select billing_period from costs where amount > 1000000)

-- name: filter-ordinal-integers
select ordinal, count(*) from costs where ordinal >= 1 group by 1

-- name: filter-quoted-names
select "resource/service", "action/usage_type", "usage/units", sum("usage/amount") from line_items
where "time/usage_start" = timestamp '2026-10-05 00:00:00' group by 1, 2, 3

-- name: filter-names-fold-to-lower-case
select COUNT(*), Sum(AMOUNT) from COSTS where Billing_Period = '2026-10'

-- name: filter-text-is-case-sensitive
select count(*) filter (where product = 'kafka'), count(*) filter (where product = 'KAFKA') from costs

-- name: filter-empty-text-is-not-null
select count(*) filter (where resource_name = ''), count(*) filter (where resource_name is null), count(*) filter (where id = ''),
       count(*) filter (where id is null) from costs

-- name: filter-every-column-of-one-day
select * from costs where start_date = date '2026-10-15'

-- name: filter-every-line-item-of-one-day
select * from line_items where "time/usage_start" >= '2026-10-15T00:00:00Z' and "time/usage_start" < '2026-10-16T00:00:00Z'
